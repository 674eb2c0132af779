foreach(test bitmap ram ram_pager)
  sw_unit_test(${test} sw_tier)
endforeach()
