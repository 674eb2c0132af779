#include "policies/text_reader.h"

#include <stdio.h>
#include <string.h>

const char *sw_text_scalar(struct sw_text_reader *r, const struct sw_yaml_node *node, const char *instead, int *rc)
{
    if (node->type == SW_YAML_SCALAR && node->text[0] != '\0')
        return node->text;
    *rc = REFUSE(r, node, "%s: write %s", node->type == SW_YAML_SCALAR ? "nothing stands here" : "one value goes here",
                 instead);
    return NULL;
}

int sw_text_expect(struct sw_text_reader *r, const struct sw_yaml_node *node, enum sw_yaml_type type,
                   const char *instead)
{
    return node->type == type ? 0 : REFUSE(r, node, "%s", instead);
}

int sw_text_refuse_unknown(struct sw_text_reader *r, const struct sw_yaml_node *key, const char *const *names,
                           size_t count)
{
    char known[200] = "";
    for (size_t i = 0, len = 0; i < count && len < sizeof known; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", i == 0 ? "" : ", ", names[i]);
    return REFUSE(r, key, "there is no field '%.24s' here: the fields are %s", key->text, known);
}

bool sw_text_repeated(const struct sw_text_reader *r, const struct sw_yaml_node *map, const struct sw_yaml_node *key)
{
    const struct sw_yaml_node *k = sw_text_first(r, map);
    while (k != key && strcmp(k->text, key->text) != 0)
        k = sw_text_next(r, sw_text_next(r, k));
    return k != key;
}

int sw_text_read_map(struct sw_text_reader *r, const struct sw_yaml_node *map, const struct sw_text_field *fields,
                     size_t count, void *into)
{
    const char *names[SW_TEXT_FIELDS_MAX];
    for (size_t i = 0; i < count; i++)
        names[i] = fields[i].name;
    for (const struct sw_yaml_node *key = sw_text_first(r, map), *value; key != NULL; key = sw_text_next(r, value)) {
        size_t i = 0;
        value = sw_text_next(r, key);
        while (i < count && strcmp(fields[i].name, key->text) != 0)
            i++;
        if (i == count)
            return sw_text_refuse_unknown(r, key, names, count);
        if (sw_text_repeated(r, map, key))
            return REFUSE(r, key, "the field '%s' is given twice: take one away", key->text);
        int rc = fields[i].read(r, value, (char *)into + fields[i].offset);
        if (rc < 0)
            return rc;
    }
    return 0;
}

const struct sw_yaml_node *sw_text_value_of(const struct sw_yaml *tree, const struct sw_yaml_node *map,
                                            const char *name)
{
    const struct sw_yaml_node *key = map != NULL && map->type == SW_YAML_MAP ? sw_yaml_at(tree, map->first) : NULL;
    while (key != NULL && strcmp(key->text, name) != 0)
        key = sw_yaml_at(tree, sw_yaml_at(tree, key->next)->next);
    return key == NULL ? NULL : sw_yaml_at(tree, key->next);
}
