# The daemon's configuration is part of its program and of no room.
sw_unit_test(config sw_store sw_engine PkgConfig::CONFUSE m)
target_sources(test_config PRIVATE
  ${PROJECT_SOURCE_DIR}/daemon/config.c
  ${PROJECT_SOURCE_DIR}/daemon/config_cgroup.c
  ${PROJECT_SOURCE_DIR}/daemon/config_complete.c
  ${PROJECT_SOURCE_DIR}/daemon/config_text.c
  ${PROJECT_SOURCE_DIR}/daemon/config_values.c)
