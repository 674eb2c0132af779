sw_unit_test(metrics sw_stats)
