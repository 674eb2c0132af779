foreach(test policy_match policy_message policy_text learner_paired learner_rules learner_state learner_traces)
  sw_unit_test(${test} sw_policies)
endforeach()
foreach(test policy_message policy_text)
  target_sources(test_${test} PRIVATE policy_dice.c)
endforeach()
target_compile_definitions(test_learner_traces PRIVATE TRACES="${PROJECT_SOURCE_DIR}/tests/vectors/learners.trace")

# The traces by an independent hand, in another language.
find_program(SPILLWAY_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(SPILLWAY_PYTHON)
  add_test(NAME python.learners
    COMMAND ${SPILLWAY_PYTHON} -B ${PROJECT_SOURCE_DIR}/tests/python/learners.py --check
      ${PROJECT_SOURCE_DIR}/tests/vectors/learners.trace)
  set_tests_properties(python.learners PROPERTIES LABELS unit TIMEOUT 60)
endif()
