/**
 * Holds README and docs/ to the program: the table of options is the schema's, every command is named, each example is a configuration
 * or a command that exists, and each link leads somewhere.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { COMMANDS } from "../src/commands/commands.ts";
import { parseSettings } from "../src/config/read/parse_settings.ts";
import { aComputer } from "./config/a_computer.ts";
import { optionsTable } from "./support/options_table.ts";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
const OPTIONS = join(ROOT, "docs", "options.md");
const TABLE = /(?<=<!-- options:[^>]*-->\n)[^]*?(?=\n<!-- \/options -->)/;
const PAGES = [
  ...["README.md", "SECURITY.md", "CONTRIBUTING.md", "src/README.md"],
  ...[...Deno.readDirSync(join(ROOT, "docs"))].filter(({ isFile }) => isFile).map(({ name }) => `docs/${name}`),
].map((name) => ({ name, text: Deno.readTextFileSync(join(ROOT, name)) }));

/** The blocks of these languages: page, text. */
function blocks(...languages: readonly string[]): { readonly name: string; readonly text: string }[] {
  return PAGES.flatMap(({ name, text }) =>
    [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].filter(([, language]) => languages.includes(language!)).map((match) => ({
      name,
      text: match[2]!,
    }))
  );
}

Deno.test("docs: the table of options is made of the schema", async () => {
  const page = await Deno.readTextFile(OPTIONS);
  if (Deno.env.get("UPDATE_GOLDEN")) await Deno.writeTextFile(OPTIONS, page.replace(TABLE, () => optionsTable()));
  const table = TABLE.exec(await Deno.readTextFile(OPTIONS))?.[0];
  assertEquals(table, optionsTable(), "docs/options.md differs; UPDATE_GOLDEN=1 writes it anew");
});

Deno.test("docs: the table of commands names every command, and no other", () => {
  const rows = PAGES.find(({ name }) => name === "docs/commands.md")!.text.split("\n").filter((line) => line.startsWith("| `"));
  const named = rows.flatMap((row) => [...row.split(" | ")[0]!.matchAll(/`([a-z][a-z-]*)/g)].map((match) => match[1]!));
  assertEquals(named.toSorted(), [...Object.keys(COMMANDS), "completions"].toSorted());
});

Deno.test("docs: each example in YAML is a configuration, or completes one", () => {
  const found = blocks("yaml");
  assert(found.length > 8);
  for (const { name, text } of found) {
    const whole = /^(watch_path|jobs):/m.test(text)
      ? text
      : `watch_path: /data\nremote_host: nas\nremote_base_path: /images\n${text}`;
    assert(parseSettings(whole, name, "yaml", aComputer()).jobs.length > 0, name);
  }
});

Deno.test("docs: each command of an example exists", () => {
  const named = blocks("sh", "bash", "powershell").flatMap(({ name, text }) =>
    [...text.matchAll(/^(?:sudo )?image-transfer ([a-z][a-z-]*)/gm)].map((match) => ({ name, command: match[1]! }))
  );
  assert(named.length > 10);
  const aliases = ["install", "uninstall"];
  assertEquals(named.filter(({ command }) => !(command in COMMANDS) && !aliases.includes(command)), []);
});

Deno.test("docs: each link to a file of ours leads to one, and README to each page", () => {
  const links = PAGES.flatMap(({ name, text }) =>
    [...text.matchAll(/\]\((?!https?:)([^)#\s]+)/g)].map((match) => ({ name, link: match[1]! }))
  );
  const isThere = ({ name, link }: typeof links[number]) => exists(join(ROOT, name, "..", link));
  assertEquals(links.filter((link) => !isThere(link)), []);
  const fromReadme = links.filter(({ name }) => name === "README.md").map(({ link }) => link);
  const pages = PAGES.map(({ name }) => name).filter((name) => name.startsWith("docs/"));
  assertEquals(pages.filter((name) => !fromReadme.includes(name)), []);
});

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) !== null;
  } catch {
    return false;
  }
}
