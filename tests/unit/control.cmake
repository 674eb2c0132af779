sw_unit_test(control sw_control)
