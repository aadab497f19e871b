create table bench_effects (n bigint not null)
