select count(*) from bench_effects
