# An engine driven by hand, for the tests below.
add_library(engine_kit STATIC engine_kit.c)
target_link_libraries(engine_kit PUBLIC sw_engine PkgConfig::CMOCKA)
target_include_directories(engine_kit PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})

foreach(test get policy put random)
  sw_unit_test(engine_${test} engine_kit)
endforeach()
target_sources(test_engine_policy PRIVATE runs_kit.c)
sw_unit_test(staging sw_engine)
