/**
 * `config`: checks the configuration, shows it with all defaults, and writes samples and the JSON Schema.
 *
 * @module
 */
import { object, or } from "@optique/core/constructs";
import { map, optional } from "@optique/core/modifiers";
import { command, option } from "@optique/core/primitives";
import { choice } from "@optique/core/valueparser";
import { configSchema } from "../config/schema/json_schema.ts";
import { ConfigError, type Problem } from "../config/read/config_error.ts";
import { loadConfig } from "../config/read/load.ts";
import { Failure } from "../domain/failure.ts";
import { findConfigFile } from "../config/read/search_path.ts";
import { sampleConfig } from "../config/show/sample.ts";
import { showConfig } from "../config/show/show.ts";
import type { Settings } from "../config/settings.ts";
import { checkGrowing } from "./checks/check_growing.ts";
import { checkHookPrograms } from "./checks/check_hooks.ts";
import { checkSecrets } from "./checks/check_secrets.ts";
import { defineCommand, EXIT, plain, type Tools } from "./command.ts";
import { editConfig } from "./edit_config.ts";
import { writeConfig } from "./init.ts";
import { configOption, jsonOption, pathValue } from "./options.ts";
import { placeOf } from "../reports/overview/trouble.ts";

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
