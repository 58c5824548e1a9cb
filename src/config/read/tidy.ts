/**
 * Before the check: other names of keys become ours, keys without a value are reported and removed,
 * so that each mistake is reported once.
 *
 * @module
 */
import { isSection, type Path } from "./source.ts";
import { type Report, sections, type Tree } from "./tree.ts";

/** Other names that keys are known by. */
export const ALIASES: Readonly<Record<string, string>> = {
  filters: "exclude_patterns",
  verify: "verify_transfer",
  comparison_method: "verify_transfer",
};

/** Tidies the tree in place. */
export function tidy(tree: Tree, report: Report): void {
  for (const { section, path } of sections(tree.root)) {
    renameAliases(section, path, tree, report);
  }
  dropEmpty(tree.root, [], report);
}

function renameAliases(section: Record<string, unknown>, path: Path, tree: Tree, report: Report): void {
  for (const [alias, key] of Object.entries(ALIASES)) {
    if (!Object.hasOwn(section, alias)) continue;
    if (Object.hasOwn(section, key)) {
      report([...path, alias], `"${alias}" is another name for "${key}", which is also set; keep one`);
    } else {
      section[key] = section[alias];
      tree.origins.moved([...path, alias], [...path, key]);
    }
    delete section[alias];
  }
}

function dropEmpty(section: Record<string, unknown>, path: Path, report: Report): void {
  for (const [key, value] of Object.entries(section)) {
    const at = [...path, key];
    if (value === null || value === undefined) {
      report(at, `"${key}" has no value; add one or remove the line`);
      delete section[key];
    } else if (isSection(value)) dropEmpty(value, at, report);
    else if (Array.isArray(value)) value.forEach((item, index) => isSection(item) && dropEmpty(item, [...at, index], report));
  }
}
