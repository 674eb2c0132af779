foreach(test frame status)
  sw_unit_test(${test} sw_proto)
endforeach()
