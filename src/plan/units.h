/* Enabling units: links and preset lines.
 *
 * In:    the recipe's units and the text of those it brings.
 * Out:   operations in the builder: TARGET.wants/NAME links, aliases, and one preset file.
 * Fails: ERR_RECIPE for an enabled unit without [Install] and for what install_parse() refuses.
 *
 * An image needs both: a first boot with "full" presets drops links that no preset names, and an image
 * that already has a machine-id never applies presets.
 */
#ifndef BAKE_PLAN_UNITS_H
#define BAKE_PLAN_UNITS_H

#include "plan/build.h"

must_check int build_enable(struct builder *b, const struct plan_args *args);

#endif
