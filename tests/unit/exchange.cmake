sw_unit_test(exchange sw_exchange m)
