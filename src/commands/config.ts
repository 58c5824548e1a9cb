/** `config`: checks the configuration, shows it with all defaults, and writes samples and the JSON Schema. */
import { object, or } from "@optique/core/constructs";
import { choice } from "@optique/core/valueparser";
import { ConfigError, type Problem } from "../config/read/parse_settings.ts";
import { loadSettings, readConfig } from "../config/read/load.ts";
import { findConfigFile } from "../config/read/find_config.ts";
import { configSchema } from "../config/schema/schema.ts";
import { sampleConfig, showConfig } from "../config/show/show.ts";
import { Failure, withHint } from "../domain/failure.ts";
import { placeOf } from "../reports/overview/trouble.ts";
import { checkSecrets } from "./checks/check_here.ts";
import { checkGrowing, checkHookPrograms } from "./checks/check_job.ts";
import { defineCommand, EXIT, plain, subcommand, type Tools } from "./command.ts";
import { writeConfig } from "./init.ts";
import { configOption, flag, given, jsonOption, pathValue } from "./options.ts";
import { EDITORS } from "./programs.ts";
import { seekQuietly } from "./seek_daemon.ts";

/** Exit code 2 where the configuration has a fault; it names all of them, with line and column. */
export const config = defineCommand({
  name: "config",
  help: "Check, edit, show and generate configurations: validate, edit, show, path, generate, schema",
  parser: or(
    subcommand(
      "validate",
      "Check the configuration and list all errors",
      object({ config: configOption, json: jsonOption }),
      ({ config, json }, tools) => json ? validateAsJson(config, tools) : validate(config, tools),
    ),
    subcommand(
      "edit",
      "Edit the configuration in $EDITOR; it is used only if it is valid",
      object({ config: configOption }),
      ({ config }, tools) => editConfig(config, tools),
    ),
    subcommand(
      "show",
      "Show the full configuration with all defaults, without secrets",
      object({ config: configOption, json: jsonOption }),
      async ({ config, json }, tools) => {
        const settings = await loadSettings(config, tools.cwd, tools.system);
        if (tools.isTerminal) tools.stderr(`# ${settings.file}\n`);
        tools.stdout(showConfig(settings.full, json ? "json" : "yaml"));
        return EXIT.done;
      },
    ),
    subcommand("path", "Print which file is used", object({ config: configOption }), async ({ config }, tools) => {
      tools.stdout(`${await findConfigFile(config, tools.cwd, tools.system)}\n`);
      return EXIT.done;
    }),
    subcommand(
      "generate",
      "Write a commented sample with all defaults",
      object({
        output: given(["-o", "--output"], pathValue("FILE"), "Write to this file instead of standard output"),
        force: flag("--force", "Overwrite an existing file"),
        format: given("--format", choice(["yaml", "toml"]), "yaml or toml (default: by the file name)"),
      }),
      async (input, tools) => {
        if (input.output !== undefined) return await writeConfig({ ...input, config: undefined, yes: true }, tools);
        tools.stdout(sampleConfig(input.format ?? "yaml"));
        return EXIT.done;
      },
    ),
    subcommand("schema", "Print the JSON Schema, for editors", object({}), (_, tools) => {
      tools.stdout(`${JSON.stringify(configSchema(), null, 2)}\n`);
      return Promise.resolve(EXIT.done);
    }),
    { errors: { noMatch: plain("Specify what to do: validate, edit, show, path, generate or schema.") } },
  ),
  run: (wanted, tools) => wanted(tools),
});

async function validate(named: string | undefined, tools: Tools): Promise<number> {
  const settings = await loadSettings(named, tools.cwd, tools.system);
  tools.stdout(`${settings.file}: valid\n`);
  const below = (folder: string, path: string) => path === "" ? folder : `${folder.replace(/\/$/, "")}/${path}`;
  for (const { name: job, watchPath, nightFolder, destinations } of settings.jobs) {
    const watched = `  ${job}: ${below(watchPath, nightFolder ?? "")}`;
    if (destinations.length === 0) tools.stdout(`${watched} is only watched, for its hooks\n`);
    for (const destination of destinations) {
      const { name, transport, basePath, layout } = destination;
      const path = below(basePath, layout.replace(/\/?\{path\}$/, "").replaceAll("{night}", "NIGHT"));
      tools.stdout(`${watched} → ${name} (${transport.method} ${placeOf(destination, path)})\n`);
    }
  }
  for (const note of settings.notes) tools.stdout(`  Note: ${note}\n`);
  const hooks = await Promise.all(settings.jobs.map((job) => checkHookPrograms(job, tools.system)));
  const findings = [...settings.jobs.flatMap(checkGrowing), ...hooks.flat(), ...await checkSecrets(settings, tools.system)];
  for (const { what, hint } of findings) tools.stdout(`  Note: ${what}. ${hint}\n`);
  return EXIT.done;
}

/**
 * The same for programs: `{valid, file, problems: [{line, column, key, message}]}`, and exit code 2 where it is not valid. `file` is null
 * where there is none.
 */
async function validateAsJson(named: string | undefined, tools: Tools): Promise<number> {
  let file: string | null = null;
  let problems: readonly Problem[] = [];
  try {
    file = await findConfigFile(named, tools.cwd, tools.system);
    await loadSettings(file, tools.cwd, tools.system);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    problems = error instanceof ConfigError ? error.problems : [{ line: 1, column: 1, key: "", message: withHint(error) }];
  }
  tools.stdout(`${JSON.stringify({ valid: problems.length === 0, file, problems }, null, 2)}\n`);
  return problems.length === 0 ? EXIT.done : EXIT.usage;
}

/** Exit code 2 where the draft has an error and the person gives up: it is kept, and the configuration stays as it was. */
async function editConfig(named: string | undefined, tools: Tools): Promise<number> {
  const { system, prompt, stderr } = tools;
  const found = await findConfigFile(named, tools.cwd, system);
  if (prompt === undefined) {
    throw new Failure("configuration", "config edit needs a terminal", {
      hint: `Edit "${found}" yourself, then run: image-transfer config validate`,
    });
  }
  // A link stays a link.
  const path = await system.realPath(found) ?? found;
  const draft = path.replace(/(\.\w+)?$/, ".draft$1");
  const before = await system.readText(path);
  const [program = "", ...args] = await editorOf(tools);
  if (await system.facts(draft) === null) await system.writeText(draft, before, 0o600);
  else stderr(`Continuing with the draft that was kept: ${draft}\n`);
  for (;;) {
    let code: number | null = null;
    let isKept = true;
    try {
      code = await system.lend(program, [...args, draft]);
    } finally {
      // A draft that nobody changed would later replace what the configuration is by then.
      if (code !== 0 && await system.readText(draft) === before) {
        isKept = false;
        await system.remove(draft);
      }
    }
    if (code !== 0) {
      throw new Failure("configuration", `The editor "${program}" failed with exit code ${code}`, {
        hint: `The configuration is unchanged.${isKept ? ` Your draft is kept in "${draft}".` : ""}`,
      });
    }
    const text = await system.readText(draft);
    if (text === before) {
      await system.remove(draft);
      stderr("Nothing was changed.\n");
      return EXIT.done;
    }
    try {
      await readConfig(draft, system);
      break;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      stderr(`${error.message}\n`);
    }
    const answer = await prompt("Edit again? (yes or no)");
    if (answer === null || !/^y(es)?$|^$/i.test(answer.trim())) {
      stderr(`The configuration is unchanged. Your draft is kept in ${draft}; config edit continues with it.\n`);
      return EXIT.usage;
    }
  }
  const facts = await system.facts(path);
  if (await system.readText(path) !== before) {
    throw new Failure("configuration", `"${path}" was changed by someone else in the meantime`, {
      hint: `Your draft is kept in "${draft}".`,
    });
  }
  await system.writeText(path, await system.readText(draft), facts === null ? 0o600 : facts.mode & 0o777);
  await system.remove(draft);
  stderr(`Changed ${path}\n`);
  const { daemon } = await seekQuietly(named, tools);
  if (daemon === null) return EXIT.done;
  const { ok, message } = await daemon.ask("reload", {});
  stderr(`${message}\n`);
  return ok ? EXIT.done : EXIT.usage;
}

/** `$VISUAL` or `$EDITOR`, which may have arguments; else the first that is there. */
async function editorOf({ system }: Tools): Promise<readonly string[]> {
  const chosen = system.env("VISUAL") || system.env("EDITOR");
  if (chosen) return (chosen.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, "$1"));
  for (const name of EDITORS[system.platform]) if (await system.which(name) !== null) return [name];
  throw new Failure("tool_missing", "No editor was found", { hint: "Set EDITOR to your editor, for example: EDITOR=nano" });
}
