# Objects without bytes, for the tests below.
add_library(store_kit STATIC store_kit.c)
target_link_libraries(store_kit PUBLIC sw_store PkgConfig::CMOCKA)
target_include_directories(store_kit PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})

sw_unit_test(store store_kit)
sw_unit_test(store_model store_kit)
