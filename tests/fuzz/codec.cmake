sw_fuzz_target(container sw_codec)
