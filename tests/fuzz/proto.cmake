sw_fuzz_target(frame sw_proto)
