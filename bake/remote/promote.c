#include "bake/remote/promote.h"

static void report_promotion(const struct session *session, const char *family,
                             const struct promote_result *result, bool dry)
{
    static const char *const names[] = {"promoted", "unchanged", "overtaken"};
    struct ui *ui = &session->common->ui;
    if (result->outcome == PROMOTE_UNCHANGED)
        ui_step(ui, "promote", "%s is the head of %s already", result->image, family);
    else
        ui_step(ui, "promote", "%s is the head of %s; before: %s; %u deprecated", result->after, family,
                result->before[0] ? result->before : "none", result->deprecated);
    struct ui_line line;
    ui_line_open(&line, ui, "promote");
    json_string(&line.json, "result", dry ? "dry-run" : names[result->outcome]);
    json_string(&line.json, "project", session->project);
    json_string(&line.json, "family", family);
    json_string(&line.json, "image", result->image);
    json_string(&line.json, "before", result->before);
    json_string(&line.json, "head", result->after);
    json_uint(&line.json, "deprecated", result->deprecated);
    ui_line_print(&line);
}

int promote_image(const struct session *session, const struct promote *promote, struct promote_result *ret,
                  struct err *err)
{
    struct promote wanted = *promote;
    wanted.images = session_images(session);
    if (promote_run(&wanted, ret, err) < 0)
        return -1;
    report_promotion(session, promote->family, ret, promote->dry);
    return 0;
}

int promote_check(const struct push *push, struct skew_rules rules, struct err *err)
{
    cleanup_image_list struct image_list head = {0};
    char name[IMAGE_NAME_MAX + 1];
    push_image_name(push->sealed->name, name);
    const struct image image = {.name = name, .labels = push->versions, .label_count = push->version_count};
    if (push->version_count == 0)
        return 0;
    if (images_head(&push->images, push->family, &head, err) < 0)
        return -1;
    return head.count ? skew_check(&head.items[0], &image, rules, push->images.api.run, err) : 0;
}
