# The library against a scripted server.
add_library(client_peer STATIC peer.c client_help.c)
target_link_libraries(client_peer PUBLIC sw_client PkgConfig::CMOCKA)

foreach(test client client_async client_connect client_faults client_policy)
  sw_unit_test(${test} client_peer)
endforeach()
# A resolver that answers late, or not at all.
target_link_options(test_client_connect PRIVATE -Wl,--wrap=getaddrinfo)
# The kernels behind learned bitlengths, by the library's own functions.
sw_unit_test(quantise sw_client codec_pack)
sw_unit_test(client_learner sw_client)
