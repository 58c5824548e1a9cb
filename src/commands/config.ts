/**
 * `config`: checks the configuration, shows it with all defaults, and writes samples and the JSON Schema.
 *
 * @module
 */
import { object, or } from "@optique/core/constructs";
import { map, optional } from "@optique/core/modifiers";
import { command, option } from "@optique/core/primitives";
import { choice } from "@optique/core/valueparser";
import { ConfigError, type Problem } from "../config/read/config_error.ts";
import { loadConfig, readConfig } from "../config/read/load.ts";
import { findConfigFile } from "../config/read/search_path.ts";
import { configSchema } from "../config/schema/json_schema.ts";
import type { Settings } from "../config/settings.ts";
import { sampleConfig } from "../config/show/sample.ts";
import { showConfig } from "../config/show/show.ts";
import { Failure } from "../domain/failure.ts";
import { placeOf } from "../reports/overview/trouble.ts";
import { checkSecrets } from "./checks/check_here.ts";
import { checkGrowing, checkHookPrograms } from "./checks/check_job.ts";
import { defineCommand, EXIT, plain, type Tools } from "./command.ts";
import { writeConfig } from "./init.ts";
import { configOption, jsonOption, pathValue } from "./options.ts";
import { EDITORS } from "./programs.ts";
import { seekQuietly } from "./seek_daemon.ts";

const outputOption = optional(
  option("-o", "--output", pathValue("FILE"), { description: plain("Write to this file instead of standard output") }),
);

const validateParser = command(
  "validate",
  map(object({ config: configOption, json: jsonOption }), (input) => ({ what: "validate" as const, ...input })),
  {
    brief: plain("Check the configuration and list all errors"),
  },
);

const pathParser = command("path", map(object({ config: configOption }), (input) => ({ what: "path" as const, ...input })), {
  brief: plain("Print which file is used"),
});

const editParser = command("edit", map(object({ config: configOption }), (input) => ({ what: "edit" as const, ...input })), {
  brief: plain("Edit the configuration in $EDITOR; it is used only if it is valid"),
});

const showParser = command(
  "show",
  map(object({ config: configOption, json: jsonOption }), (input) => ({ what: "show" as const, ...input })),
  {
    brief: plain("Show the full configuration with all defaults, without secrets"),
  },
);

const generateParser = command(
  "generate",
  map(
    object({
      output: outputOption,
      force: option("--force", { description: plain("Overwrite an existing file") }),
      format: optional(
        option("--format", choice(["yaml", "toml"]), { description: plain("yaml or toml (default: by the file name)") }),
      ),
    }),
    (input) => ({ what: "generate" as const, ...input }),
  ),
  { brief: plain("Write a commented sample with all defaults") },
);

const schemaParser = command("schema", map(object({}), () => ({ what: "schema" as const })), {
  brief: plain("Print the JSON Schema, for editors"),
});

/** Exit code 2 where the configuration has a fault; it names all of them, with line and column. */
export const config = defineCommand({
  name: "config",
  help: "Check, edit, show and generate configurations: validate, edit, show, path, generate, schema",
  parser: or(validateParser, editParser, showParser, pathParser, generateParser, schemaParser, {
    errors: { noMatch: plain("Specify what to do: validate, edit, show, path, generate or schema.") },
  }),
  run: async (input, tools) => {
    switch (input.what) {
      case "validate":
        return input.json ? await validateAsJson(input.config, tools) : await validate(input.config, tools);
      case "edit":
        return await editConfig(input.config, tools);
      case "path":
        tools.stdout(`${await findConfigFile(input.config, tools.cwd, tools.system)}\n`);
        return EXIT.done;
      case "show": {
        const { full, settings } = await loadConfig(input.config, tools.cwd, tools.system);
        if (tools.isTerminal) tools.stderr(`# ${settings.file}\n`);
        tools.stdout(showConfig(full, input.json ? "json" : "yaml"));
        return EXIT.done;
      }
      case "generate":
        if (input.output !== undefined) return await writeConfig({ ...input, config: undefined, yes: true }, tools);
        tools.stdout(sampleConfig(input.format ?? "yaml"));
        return EXIT.done;
      case "schema":
        tools.stdout(`${JSON.stringify(configSchema(), null, 2)}\n`);
        return EXIT.done;
    }
  },
});

async function validate(named: string | undefined, tools: Tools): Promise<number> {
  const { settings } = await loadConfig(named, tools.cwd, tools.system);
  tools.stdout(`${settings.file}: valid\n`);
  for (const line of summary(settings)) tools.stdout(`  ${line}\n`);
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
    await loadConfig(file, tools.cwd, tools.system);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { message, hint } = error;
    problems = error instanceof ConfigError ? error.problems : [{ line: 1, column: 1, key: "", message: `${message}. ${hint}` }];
  }
  tools.stdout(`${JSON.stringify({ valid: problems.length === 0, file, problems }, null, 2)}\n`);
  return problems.length === 0 ? EXIT.done : EXIT.usage;
}

/** One line a destination: what goes where, how. */
function summary(settings: Settings): string[] {
  return settings.jobs.flatMap((job) => {
    const watched = below(job.watchPath, job.nightFolder ?? "");
    if (job.destinations.length === 0) return [`${job.name}: ${watched} is only watched, for its hooks`];
    return job.destinations.map((destination) => {
      const { name, transport, basePath, layout } = destination;
      const path = below(basePath, layout.replace(/\/?\{path\}$/, "").replaceAll("{night}", "NIGHT"));
      return `${job.name}: ${watched} → ${name} (${transport.method} ${placeOf(destination, path)})`;
    });
  });
}

function below(folder: string, path: string): string {
  return path === "" ? folder : `${folder.replace(/\/$/, "")}/${path}`;
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
  const editor = await editorOf(tools);
  if (await system.facts(draft) === null) await system.writeText(draft, before, 0o600);
  else stderr(`Continuing with the draft that was kept: ${draft}\n`);
  for (;;) {
    await edit(editor, draft, before, tools);
    const text = await system.readText(draft);
    if (text === before) {
      await system.remove(draft);
      stderr("Nothing was changed.\n");
      return EXIT.done;
    }
    const fault = await faultOf(draft, tools);
    if (fault === null) break;
    stderr(`${fault}\n`);
    const answer = await prompt("Edit again? (yes or no)");
    if (answer === null || !/^y(es)?$|^$/i.test(answer.trim())) {
      stderr(`The configuration is unchanged. Your draft is kept in ${draft}; config edit continues with it.\n`);
      return EXIT.usage;
    }
  }
  return await accept({ path, draft, before, named }, tools);
}

interface Draft {
  readonly path: string;
  readonly draft: string;
  /** What the configuration contained when the editor was opened. */
  readonly before: string;
  /** What `-c` says. */
  readonly named: string | undefined;
}

async function accept({ path, draft, before, named }: Draft, tools: Tools): Promise<number> {
  const { system, stderr } = tools;
  const facts = await system.facts(path);
  if (await system.readText(path) !== before) {
    throw new Failure("configuration", `"${path}" was changed by someone else in the meantime`, {
      hint: `Your draft is kept in "${draft}".`,
    });
  }
  await system.writeText(`${draft}.part`, await system.readText(draft), facts === null ? 0o600 : facts.mode & 0o777);
  await system.sync(`${draft}.part`);
  await system.rename(`${draft}.part`, path);
  await system.remove(draft);
  stderr(`Changed ${path}\n`);
  const { daemon } = await seekQuietly(named, tools);
  if (daemon === null) return EXIT.done;
  const { ok, message } = await daemon.ask("reload", {});
  stderr(`${message}\n`);
  return ok ? EXIT.done : EXIT.usage;
}

/** What is wrong with the draft, a line each; null where nothing is. */
async function faultOf(draft: string, { system }: Tools): Promise<string | null> {
  try {
    await readConfig(draft, system);
    return null;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

async function edit(
  [program = "", ...args]: readonly string[],
  draft: string,
  before: string,
  { system }: Tools,
): Promise<void> {
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
  if (code === 0) return;
  throw new Failure("configuration", `The editor "${program}" failed with exit code ${code}`, {
    hint: `The configuration is unchanged.${isKept ? ` Your draft is kept in "${draft}".` : ""}`,
  });
}

/** `$VISUAL` or `$EDITOR`, which may have arguments; else the first that is there. */
async function editorOf({ system }: Tools): Promise<readonly string[]> {
  const chosen = system.env("VISUAL") || system.env("EDITOR");
  if (chosen) return (chosen.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, "$1"));
  for (const name of EDITORS[system.platform]) if (await system.which(name) !== null) return [name];
  throw new Failure("tool_missing", "No editor was found", {
    hint: "Set EDITOR to your editor, for example: EDITOR=nano",
  });
}
