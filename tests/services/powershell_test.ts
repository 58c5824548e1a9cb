/**
 * The PowerShell scripts, read by a parser of PowerShell (the grammar of tree-sitter: no registry that builds can reach has
 * PowerShell itself). It is more lenient than PowerShell in places, but knows every brace, quote, pipeline and parameter.
 */
import { assertEquals } from "@std/assert";
import about from "tree-sitter-pwsh/package.json" with { type: "json" };
import { Language, type Node, Parser } from "web-tree-sitter";

const SCRIPTS = ["scripts/manage-daemon.ps1", "service/install.ps1"] as const;

/** Parses one script; made once. */
const parser = (async () => {
  await Parser.init();
  const made = new Parser();
  return made.setLanguage(await Language.load(await Deno.readFile(await grammar())));
})();

/** The grammar lies in its package, which Deno keeps in its cache. */
async function grammar(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout)) as { npmCache: string };
  for await (const { name } of Deno.readDir(npmCache)) {
    const path = `${npmCache}/${name}/${about.name}/${about.version}/tree-sitter-powershell.wasm`;
    if (await Deno.stat(path).then(() => true, () => false)) return path;
  }
  throw new Error(`${about.name} is not in ${npmCache}`);
}

/** Where the parser is lost, as `line: text`. */
async function faults(text: string): Promise<string[]> {
  const found: string[] = [];
  const visit = (node: Node) => {
    if (node.isError || node.isMissing) found.push(`${node.startPosition.row + 1}: ${node.text.slice(0, 60)}`);
    for (const child of node.children) if (child !== null) visit(child);
  };
  visit((await parser).parse(text)!.rootNode);
  return found;
}

function read(name: string): Promise<string> {
  return Deno.readTextFile(new URL(`../../${name}`, import.meta.url));
}

for (const name of SCRIPTS) {
  Deno.test(`${name} is PowerShell from its first line to its last`, async () => {
    assertEquals(await faults(await read(name)), []);
  });

  Deno.test(`${name} without any one of its brackets is not`, async () => {
    const text = await read(name);
    const places = [...text.matchAll(/[{(](?=[ \t]*$)|^[ \t]*[})]/gm)].map(([found], nth, all) =>
      all[nth]!.index + found.length - 1
    );
    assertEquals(places.length > 10, true);
    const unnoticed: string[] = [];
    for (const at of places) {
      const line = text.slice(0, at).split("\n").length;
      if ((await faults(text.slice(0, at) + text.slice(at + 1))).length === 0) {
        unnoticed.push(`${line}: ${text.slice(at, at + 20)}`);
      }
    }
    assertEquals(unnoticed, []);
  });
}

Deno.test("the PowerShell scripts hold only ASCII, which Windows PowerShell reads the same in every code page", async () => {
  // deno-lint-ignore no-control-regex -- all that is ASCII
  for (const name of SCRIPTS) assertEquals([...(await read(name)).matchAll(/[^\x00-\x7f]/g)].map(([sign]) => sign), [], name);
});
