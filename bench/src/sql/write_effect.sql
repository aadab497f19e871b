insert into bench_effects (n) values ($1)
