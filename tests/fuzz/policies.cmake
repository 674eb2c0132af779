foreach(target policy_text policy_message learner_state)
  sw_fuzz_target(${target} sw_policies)
endforeach()
