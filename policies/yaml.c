#include "policies/yaml.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include <spillway/status.h>

#include "policies/error.h"

/* A list or mapping whose end has not come yet. */
struct open {
    uint32_t node, last; /* last child; 0: none yet */
    uint32_t children;
};

struct builder {
    struct sw_yaml *tree;
    struct sw_policy_error *error;
    const char *text;
    size_t len;
    struct open open[SW_YAML_DEPTH_MAX];
    size_t depth;
    yaml_event_t event;
};

static int line_of(const yaml_mark_t *mark)
{
    return (int)mark->line + 1;
}

static int column_of(const yaml_mark_t *mark)
{
    return (int)mark->column + 1;
}

/* libyaml's reader tells an offset where the scanner tells a mark. */
static int refuse_bytes(const struct builder *b, size_t offset)
{
    int line = 1, column = 1;
    for (size_t i = 0; i < offset && i < b->len; i++) {
        bool starts = ((unsigned char)b->text[i] & 0xc0) != 0x80;
        line += b->text[i] == '\n';
        column = b->text[i] == '\n' ? 1 : column + starts;
    }
    return sw_policy_refuse_at(b->error, line, column,
                               "a control character or broken UTF-8: write plain text in UTF-8");
}

static int refuse_syntax(const struct builder *b, const yaml_parser_t *parser)
{
    const char *problem = parser->problem != NULL ? parser->problem : "cannot be read";
    if (parser->error == YAML_MEMORY_ERROR)
        return SW_NO_MEMORY;
    if (parser->error == YAML_READER_ERROR)
        return refuse_bytes(b, parser->problem_offset);
    return sw_policy_refuse_at(b->error, line_of(&parser->problem_mark), column_of(&parser->problem_mark),
                               "this is not YAML: %s; look for a missing colon, bracket or quote, a tab, or a line "
                               "that is not indented as its neighbours",
                               problem);
}

static int refuse_event(const struct builder *b, const char *sentence)
{
    return sw_policy_refuse_at(b->error, line_of(&b->event.start_mark), column_of(&b->event.start_mark), "%s",
                               sentence);
}

static int node_add(struct builder *b, enum sw_yaml_type type, uint32_t *index)
{
    struct sw_yaml *tree = b->tree;
    if (tree->count == SW_YAML_NODES_MAX)
        return refuse_event(b, "there are more values than any set of policies has: take some away");
    if (tree->count == tree->cap) {
        uint32_t cap = tree->cap == 0 ? 64 : 2 * tree->cap;
        struct sw_yaml_node *nodes = realloc(tree->nodes, cap * sizeof *nodes);
        if (nodes == NULL)
            return SW_NO_MEMORY;
        tree->nodes = nodes;
        tree->cap = cap;
    }
    *index = tree->count++;
    tree->nodes[*index] = (struct sw_yaml_node){
        .type = type,
        .line = line_of(&b->event.start_mark),
        .column = column_of(&b->event.start_mark),
    };
    return 0;
}

/* Puts a node behind the children of the innermost open one. */
static int attach(struct builder *b, uint32_t index)
{
    if (b->depth == 0)
        return 0;
    struct open *parent = &b->open[b->depth - 1];
    struct sw_yaml_node *nodes = b->tree->nodes;
    bool key = nodes[parent->node].type == SW_YAML_MAP && parent->children % 2 == 0;
    if (key && nodes[index].type != SW_YAML_SCALAR)
        return refuse_event(b, "a list or mapping stands where a field's name should: write a word before the colon");
    *(parent->last == 0 ? &nodes[parent->node].first : &nodes[parent->last].next) = index;
    parent->last = index;
    parent->children++;
    return 0;
}

static int take_scalar(struct builder *b)
{
    const char *value = (const char *)b->event.data.scalar.value;
    size_t len = b->event.data.scalar.length;
    uint32_t index = 0;
    if (b->event.data.scalar.anchor != NULL)
        return refuse_event(b, "anchors (&name) are not taken: write the value out where it is needed");
    if (b->event.data.scalar.tag != NULL)
        return refuse_event(b, "tags (!name) are not taken: write the plain value");
    if (memchr(value, '\0', len) != NULL)
        return refuse_event(b, "a value holds a NUL character: take it out");
    int rc = node_add(b, SW_YAML_SCALAR, &index);
    if (rc < 0)
        return rc;
    b->tree->nodes[index].text = strndup(value, len);
    return b->tree->nodes[index].text == NULL ? SW_NO_MEMORY : attach(b, index);
}

static int take_start(struct builder *b, enum sw_yaml_type type, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    uint32_t index = 0;
    if (anchor != NULL)
        return refuse_event(b, "anchors (&name) are not taken: write the value out where it is needed");
    if (tag != NULL)
        return refuse_event(b, "tags (!name) are not taken: write the plain value");
    if (b->depth == SW_YAML_DEPTH_MAX)
        return refuse_event(b, "lists and mappings are nested deeper than in any set of policies");
    int rc = node_add(b, type, &index);
    if (rc == 0)
        rc = attach(b, index);
    if (rc == 0)
        b->open[b->depth++] = (struct open){.node = index};
    return rc;
}

/* One event; *done when the text has ended. */
static int take(struct builder *b, bool *done)
{
    switch (b->event.type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(b);
    case YAML_SEQUENCE_START_EVENT:
        return take_start(b, SW_YAML_LIST, b->event.data.sequence_start.anchor, b->event.data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return take_start(b, SW_YAML_MAP, b->event.data.mapping_start.anchor, b->event.data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return 0;
    case YAML_ALIAS_EVENT:
        return refuse_event(b, "aliases (*name) are not taken: write the value out, and a glob in quotes");
    case YAML_DOCUMENT_START_EVENT:
        return b->tree->count == 0 ? 0 : refuse_event(b, "a second document begins here: write one set in a file");
    case YAML_STREAM_END_EVENT:
        *done = true;
        return b->tree->count > 0 ? 0 : refuse_event(b, "there is nothing here: write `policies:' and a list below it");
    default:
        return 0;
    }
}

int sw_yaml_parse(struct sw_yaml *tree, const char *text, size_t len, struct sw_policy_error *error)
{
    static const char mark[] = "\xef\xbb\xbf"; /* a byte order mark, as some editors write */
    struct builder b = {.tree = tree, .error = error};
    yaml_parser_t parser;
    bool done = false;
    int rc = 0;
    *tree = (struct sw_yaml){0};
    if (!yaml_parser_initialize(&parser))
        return SW_NO_MEMORY;
    if (len >= 3 && memcmp(text, mark, 3) == 0) {
        text += 3;
        len -= 3;
    }
    b.text = text;
    b.len = len;
    /* Without this libyaml would guess UTF-16 from the first bytes. */
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    while (rc == 0 && !done) {
        if (!yaml_parser_parse(&parser, &b.event)) {
            rc = refuse_syntax(&b, &parser);
        } else {
            rc = take(&b, &done);
            yaml_event_delete(&b.event);
        }
    }
    yaml_parser_delete(&parser);
    return rc;
}

void sw_yaml_finish(struct sw_yaml *tree)
{
    for (uint32_t i = 0; i < tree->count; i++)
        free(tree->nodes[i].text);
    free(tree->nodes);
    *tree = (struct sw_yaml){0};
}
