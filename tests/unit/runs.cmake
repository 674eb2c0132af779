sw_unit_test(runs sw_runs)
sw_unit_test(runs_choose sw_runs)
target_sources(test_runs PRIVATE runs_kit.c)
target_sources(test_runs_choose PRIVATE runs_kit.c)
