# spillway_room(NAME SOURCES file... [DEPENDS room...] [LIBRARIES target...])
#
# A room is one static library, sw_NAME, that may use the rooms in DEPENDS and nothing else of ours. With
# SPILLWAY_CHECK_ROOMS each room is also linked alone with --no-undefined: a call into a room that is not named in
# DEPENDS, or that lies on a higher floor, then fails the build.
function(spillway_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  list(TRANSFORM ROOM_DEPENDS PREPEND sw_)
  add_library(sw_${name} STATIC ${ROOM_SOURCES})
  # Headers are named by their place in the tree: #include "codec/chunk.h".
  target_include_directories(sw_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(sw_${name} PUBLIC ${ROOM_DEPENDS} ${ROOM_LIBRARIES})
  if(SPILLWAY_CHECK_ROOMS)
    add_library(room_${name}_stands_alone SHARED $<TARGET_OBJECTS:sw_${name}>)
    set_target_properties(room_${name}_stands_alone PROPERTIES LINKER_LANGUAGE C)
    target_link_options(room_${name}_stands_alone PRIVATE -Wl,--no-undefined)
    target_link_libraries(room_${name}_stands_alone PRIVATE ${ROOM_DEPENDS} ${ROOM_LIBRARIES})
  endif()
endfunction()
