/**
 * What the Tab key offers in real shells. Each loads the script that `completions` prints and completes command lines as a person
 * types them; the program itself answers.
 */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { needs } from "../support/needs.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { springConfig } from "../support/tools.ts";

/** What is offered for a command line; the names that the shell would insert, sorted, each once. */
type Offers = (line: string) => Promise<string[]>;

/** What holds in every shell: the line, and all that may be offered, or where a list is long, some that must and some that must not. */
async function checkOffers(offers: Offers): Promise<void> {
  assertEquals(await offers("image-transfer pau"), ["pause"]);
  assertEquals(await offers("image-transfer hel"), ["help"]);
  assertEquals(await offers("image-transfer completions "), ["bash", "fish", "powershell", "zsh"]);
  assertEquals(await offers("image-transfer pause "), ["freya", "nas"]);
  assertEquals(await offers("image-transfer pause -c obs.yaml "), []);
  assertEquals(await offers("image-transfer history --job s"), ["spring"]);
  assertEquals(await offers("image-transfer verify --destination n"), ["nas"]);
  assertEquals(await offers("image-transfer report --night l"), ["last"]);
  assertEquals(await offers("image-transfer sync s"), ["spring"]);
  assertEquals(await offers("image-transfer status -c "), ["night/", "obs.yaml", "other one.yaml"]);
  assertEquals(await offers("image-transfer -c ob"), ["obs.yaml"]);
  assertEquals(await offers("image-transfer -c obs.yaml res"), ["restart", "resume"]);
  assertEquals(await offers("image-transfer -c obs.yaml status --js"), ["--json"]);
  assertEquals(await offers("image-transfer run --log-level w"), ["warn", "warning"]);
  assertEquals(await offers("image-transfer demo --folder "), ["night/"]);
  assertEquals(await offers("image-transfer config s"), ["schema", "show"]);
}

/** A folder with files to complete, the program on the PATH, and the script of a shell. */
async function place(shell: string): Promise<TempFolder & { run(program: string, args: readonly string[]): Promise<string> }> {
  const folder = await tempFolder();
  await folder.write("here/obs.yaml", "x");
  await folder.write(".config/image-transfer/config.yaml", springConfig(folder));
  await folder.write("here/other one.yaml", "x");
  await folder.write("here/night/a.fits", "x");
  const main = fromFileUrl(new URL("../../main.ts", import.meta.url));
  const config = fromFileUrl(new URL("../../deno.json", import.meta.url));
  const program = Deno.env.get("IMAGE_TRANSFER_BINARY") ??
    `${Deno.execPath()} run --quiet --no-check --allow-all --config ${config} ${main}`;
  const wrapper = await folder.write("bin/image-transfer", `#!/bin/sh\nexec ${program} "$@"\n`);
  await Deno.chmod(wrapper, 0o755);
  const env = {
    PATH: `${folder.at("bin")}:${Deno.env.get("PATH") ?? ""}`,
    HOME: folder.path,
    DENO_DIR: denoDir(),
    TERM: "dumb",
    LC_ALL: "C.UTF-8",
  };
  const run = async (program: string, args: readonly string[]) => {
    const command = new Deno.Command(program, { args: [...args], cwd: folder.at("here"), env, stdin: "null" });
    const { success, stdout, stderr } = await command.output();
    const text = new TextDecoder().decode(stdout);
    assertEquals([success, new TextDecoder().decode(stderr)], [true, ""], text);
    return text;
  };
  await folder.write("script", await run(wrapper, ["completions", shell]));
  return { ...folder, run };
}

function denoDir(): string {
  return Deno.env.get("DENO_DIR") ?? `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/deno`;
}

function sorted(text: string): string[] {
  return [...new Set(text.split("\n").filter((line) => line !== ""))].sort();
}

Deno.test("bash offers commands, options, words and files where they belong", async () => {
  await using folder = await place("bash");
  // What readline does at the Tab key; it adds the slash behind a folder itself.
  const complete = `
    source ${folder.at("script")}
    COMP_LINE=$1 COMP_POINT=\${#1}
    read -ra COMP_WORDS <<< "$1"
    [[ $1 == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    $(complete -p image-transfer | sed 's/.*-F \\([^ ]*\\) .*/\\1/') image-transfer "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
    for one in "\${COMPREPLY[@]}"; do printf '%s\\n' "$one"; done`;
  await checkOffers(async (line) => sorted(await folder.run("bash", ["--norc", "-c", complete, "bash", line])));
});

Deno.test("zsh offers commands, options, words and files where they belong", needs("zsh", "terminal"), async () => {
  await using folder = await place("zsh");
  // In a terminal of its own: what compadd is handed is noted, then it is told that the key has been dealt with.
  await folder.write(
    "inner.zsh",
    `PROMPT= ; unsetopt beep zle_bracketed_paste; autoload -Uz compinit; compinit -u -D
       source ${folder.at("script")}
       compadd() {
         [[ " $* " == *" -"[OAD]" "* ]] && { builtin compadd "$@"; return }
         local -a found; local -A folders
         builtin compadd -O found "$@"
         local one
         for one in "\${(Q)found[@]}"; do [[ -d $one ]] && one+=/; print -r -- "$one" >> ${folder.at("offers")}; done
         builtin compadd "$@"
       }
       note() { zle complete-word; print -r -- done > ${folder.at("done")} }
       zle -N note; bindkey '^I' note
       print ready > ${folder.at("ready")}`,
  );
  const outer = `
      zmodload zsh/zpty
      zpty inner zsh -f -i
      zpty -w inner 'source ${folder.at("inner.zsh")}'
      for i in {1..400}; do [[ -e ${folder.at("ready")} ]] && break; zpty -rt inner >/dev/null; sleep 0.05; done
      zpty -w -n inner "$1"$'\\t'
      for i in {1..400}; do [[ -e ${folder.at("done")} ]] && break; zpty -rt inner >/dev/null; sleep 0.05; done
      [[ -e ${folder.at("done")} ]] || print "the shell did not answer"
      zpty -d inner`;
  await checkOffers(async (line) => {
    for (const name of ["ready", "done", "offers"]) await Deno.remove(folder.at(name)).catch(() => undefined);
    const said = await folder.run("zsh", ["-f", "-c", outer, "zsh", line]);
    return sorted(said + await folder.read("offers").catch(() => ""));
  });
});

Deno.test("fish offers commands, options, words and files where they belong", needs("fish"), async () => {
  await using folder = await place("fish");
  await checkOffers(async (line) => {
    const said = await folder.run("fish", ["--no-config", "-c", `source ${folder.at("script")}; complete -C $argv[1]`, line]);
    return sorted(said.replaceAll(/\t.*/g, ""));
  });
});
