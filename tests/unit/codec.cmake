# Whole containers in guarded buffers, for the tests below.
add_library(codec_pack STATIC codec_pack.c)
target_link_libraries(codec_pack PUBLIC sw_codec PkgConfig::CMOCKA)
target_include_directories(codec_pack PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})

foreach(test changing container elements formats gecko hostile kernels lossy plan rounding roundtrip terms tiers vectors)
  sw_unit_test(codec_${test} codec_pack)
endforeach()
target_compile_definitions(test_codec_vectors PRIVATE VECTORS_DIR="${PROJECT_SOURCE_DIR}/tests/vectors")

# An independent reading of CONTAINER.md, in another language, of all that the codec writes.
add_executable(make_containers make_containers.c)
target_link_libraries(make_containers PRIVATE sw_codec)
find_program(SPILLWAY_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(SPILLWAY_PYTHON)
  add_test(NAME python.containers
    COMMAND ${SPILLWAY_PYTHON} -B ${PROJECT_SOURCE_DIR}/tests/python/test_containers.py
      $<TARGET_FILE:make_containers> ${PROJECT_SOURCE_DIR}/tests/vectors)
  set_tests_properties(python.containers PROPERTIES LABELS unit TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()
