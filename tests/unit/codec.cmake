# Whole containers in guarded buffers, for the tests below.
add_library(codec_pack STATIC codec_pack.c)
target_link_libraries(codec_pack PUBLIC sw_codec PkgConfig::CMOCKA)
target_include_directories(codec_pack PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})

foreach(test auto changing container elements formats fpraker gecko hostile kernels lossy mantissas plan rounding roundtrip terms tiers vectors)
  sw_unit_test(codec_${test} codec_pack)
endforeach()
# The same by slower tiers, which a machine with the fastest one would never use. They have one thread, and a label of
# their own, so that ThreadSanitizer need not watch them.
set(disable_avx2 avx512)
set(disable_scalar avx512,avx2)
foreach(test roundtrip lossy hostile mantissas formats rounding)
  foreach(tier avx2 scalar)
    add_test(NAME unit.codec_${test}.${tier} COMMAND test_codec_${test})
    set_tests_properties(unit.codec_${test}.${tier} PROPERTIES LABELS tiers TIMEOUT 900
      ENVIRONMENT "SPILLWAY_CPU_DISABLE=${disable_${tier}}")
  endforeach()
endforeach()

# It counts 10^8 values many times over.
set_source_files_properties(test_codec_rounding.c PROPERTIES COMPILE_OPTIONS "$<$<NOT:$<CONFIG:Debug>>:-O3>")

# What takes an optimised build: the means of 10^8 draws, and tiers compared over ten million values and more.
if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT SPILLWAY_SANITIZE)
  add_test(NAME long.codec_rounding COMMAND test_codec_rounding)
  add_test(NAME long.codec_rounding.scalar COMMAND test_codec_rounding)
  add_test(NAME long.codec_tiers COMMAND test_codec_tiers)
  set_tests_properties(long.codec_rounding long.codec_tiers PROPERTIES LABELS long TIMEOUT 900
    ENVIRONMENT "SPILLWAY_TEST_LONG=all")
  set_tests_properties(long.codec_rounding.scalar PROPERTIES LABELS long TIMEOUT 900
    ENVIRONMENT "SPILLWAY_TEST_LONG=part;SPILLWAY_CPU_DISABLE=${disable_scalar}")
endif()

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
