/**
 * Before the check: other names of keys become ours, keys without a value are reported and removed,
 * so that each mistake is reported once.
 */
import { fileSchema, keysInside } from "../schema/schema.ts";
import { isSection, type Path } from "./source.ts";
import { type Report, sections, type Tree } from "./tree.ts";

/** Other names that keys are known by. */
export const ALIASES: Readonly<Record<string, string>> = {
  filters: "exclude_patterns",
  verify: "verify_transfer",
  comparison_method: "verify_transfer",
};

/** Tidies the tree in place; returns the names of keys that were removed. */
export function tidy(tree: Tree, report: Report): Set<string> {
  for (const { section, path } of sections(tree.root)) {
    renameAliases(section, path, tree, report);
  }
  const dropped = new Set<string>();
  dropEmpty(tree.root, [], (path, message) => {
    report(path, message);
    dropped.add(String(path.at(-1)));
  });
  return dropped;
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

/** `{path}` without quotes where a text belongs. */
function isPlaceholder(key: string, value: Record<string, unknown>): boolean {
  const type = keysInside(fileSchema)[key];
  return type !== undefined && Object.keys(keysInside(type)).length === 0 && Object.values(value).every((one) => one === null);
}

function dropEmpty(section: Record<string, unknown>, path: Path, report: Report): void {
  for (const [key, value] of Object.entries(section)) {
    const at = [...path, key];
    if (value === null || value === undefined) {
      const [word = ""] = key.split(/\s/);
      report(at, `"${key}" has no value; ${word === key ? "add one or remove the line" : `no ":" after ${word}`}`);
      delete section[key];
    } else if (isSection(value) && Object.keys(value).length > 0) {
      if (isPlaceholder(key, value)) report(at, `"${key}" must be text, not a section, which { begins; put the value in quotes`);
      else dropEmpty(value, at, report);
      // What is wrong in it was said.
      if (Object.values(value).every((one) => one === null)) delete section[key];
    } else if (Array.isArray(value)) value.forEach((item, index) => isSection(item) && dropEmpty(item, [...at, index], report));
  }
}
