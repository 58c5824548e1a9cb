/**
 * `watch` and `copy`: deliver from a folder to a destination without a configuration file. What was delivered is remembered for each
 * pair, so running the same command again sends nothing twice.
 */
import { object } from "@optique/core/constructs";
import type { InferValue } from "@optique/core/parser";
import { basename, dirname } from "@std/path";
import { stringify } from "yaml";
import { absolutePath, surroundingsOf, userConfigFile } from "../config/read/find_config.ts";
import { withoutFile } from "../config/read/load.ts";
import { parseYaml } from "../config/read/parse_text.ts";
import { Failure } from "../domain/failure.ts";
import { reasonOf } from "../domain/names/reason.ts";
import { defineCommand, type Tools } from "./command.ts";
import { flag, given, pathValue, runningOptions, several, text, word } from "./options.ts";
import { runWith } from "./run/run_daemon.ts";
import { destinationHere, settingsOfKeys } from "./text/word_keys.ts";

const pairOptions = object({
  source: word(pathValue("SOURCE"), "The folder (or file) to deliver from"),
  destination: word(text("DEST"), "A folder, user@host:/path, sftp://host/path, ftp://host/path or remote:bucket (rclone)"),
  method: given("--method", text("METHOD"), "As transfer_method"),
  pattern: several("--pattern", text("GLOB"), "Which files, like '*.fits'; may be repeated (file_patterns)"),
  exclude: several("--exclude", text("GLOB"), "Which files not; may be repeated (exclude_patterns)"),
  deleteSource: flag("--delete-source", "Delete each file here once it is verified there"),
  set: several("--set", text("KEY=VALUE"), "Any other key of the configuration; may be repeated"),
  ...runningOptions,
  save: flag("--save", "Also write all this as your configuration file, for run and install-service"),
});

type PairInput = InferValue<typeof pairOptions>;

export const watch = defineCommand({
  name: "watch",
  help: "Deliver from a folder to a destination, without a configuration file",
  description:
    "Watches SOURCE and delivers every finished file to DEST until it is stopped (Ctrl+C). Run again, it continues: nothing " +
    "is sent twice. --save makes a configuration file of it.",
  parser: pairOptions,
  run: (input, tools) => deliverPair(input, false, tools),
});

/** Exit codes as `run --once`. */
export const copy = defineCommand({
  name: "copy",
  help: "Deliver what is in a folder now, without a configuration file",
  description:
    "Delivers the files that are in SOURCE to DEST, then exits: 0 if all were delivered, 1 if not. Run again, it sends only " +
    "what is new.",
  parser: pairOptions,
  run: (input, tools) => deliverPair(input, true, tools),
});

async function deliverPair(input: PairInput, once: boolean, tools: Tools): Promise<number> {
  const { system } = tools;
  const around = await surroundingsOf(system);
  const keys: Keys = {
    ...await sourceKeys(input, tools),
    ...destinationHere(input.destination, tools),
    ...input.method === undefined ? {} : { transfer_method: input.method },
    ...input.pattern.length > 0 ? { file_patterns: input.pattern } : {},
    ...input.exclude.length > 0 ? { exclude_patterns: input.exclude } : {},
    ...input.deleteSource ? { delete_source: true } : {},
    ...Object.fromEntries(input.set.map((word) => {
      const [, key = "", value = ""] = /^([a-z_]+)=(.*)$/s.exec(word) ?? [];
      if (key !== "") return [key, parseYaml(value).value ?? ""];
      throw new Failure("configuration", `Cannot use --set ${word}: it is not KEY=VALUE`, {
        hint: "For example --set order=newest_first",
      });
    })),
  };
  const host = keys["remote_host"];
  // It would put into a folder of this computer what is meant for another one.
  if (String(keys["transfer_method"]).toLowerCase() === "local" && host !== undefined && host !== "localhost") {
    throw new Failure("configuration", `Cannot send to ${host} with the method local: it only reaches folders of this computer`, {
      hint: "Choose another method, or specify a folder as DEST.",
    });
  }
  // The same source and destination have the same state, whatever else is asked for.
  const pair = ["watch_path", "remote_host", "remote_user", "remote_port", "remote_base_path"].map((key) => keys[key] ?? null);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(pair)));
  const stateDirectory = `${withoutFile(around).stateDirectory}/pairs/${new Uint8Array(hash, 0, 8).toHex()}`;
  const all = { ...keys, state_directory: keys["state_directory"] ?? stateDirectory };
  // Several of them may run at once.
  const settings = settingsOfKeys({ web: { listen: "127.0.0.1:0" }, ...all }, around);
  if (input.save && input.dryRun) tools.stderr("Not saved: --dry-run changes nothing.\n");
  else if (input.save) await saveKeys(all, tools);
  return await runWith(settings, { ...input, once }, tools);
}

type Keys = Readonly<Record<string, unknown>>;

async function sourceKeys({ source }: PairInput, { system, cwd }: Tools): Promise<Keys> {
  if (source === "") {
    throw new Failure("configuration", 'Cannot deliver from "": it is empty', { hint: "Specify a folder or a file." });
  }
  const path = absolutePath(source, cwd, system);
  const facts = await system.followedFacts(path);
  if (facts?.kind === "folder") return { watch_path: path };
  const reason = facts === null ? "it does not exist" : "it is neither a folder nor a file";
  if (facts?.kind !== "file") throw new Failure("configuration", `Cannot deliver from "${path}": ${reason}`);
  // One file: its name is a pattern that matches nothing else.
  const name = basename(path).replaceAll(/[\\*?[\]{}()!+@]/g, "\\$&");
  return { watch_path: dirname(path), file_patterns: [name], recursive: false, ignore_hidden_files: false };
}

/** Writes the keys to the user's configuration file; one that is there stays. */
async function saveKeys(keys: Keys, { system, stderr }: Tools): Promise<void> {
  const path = userConfigFile(system);
  const refuse = (reason: string, cause?: unknown) =>
    new Failure("configuration", `Cannot save the configuration "${path}": ${reason}`, {
      hint: "Add a job to it by hand, or move it away.",
      cause,
    });
  if (await system.followedFacts(path) !== null) throw refuse("the file already exists");
  try {
    await system.makeFolder(dirname(path), 0o700);
    await system.writeText(
      path,
      `# Written by image-transfer watch --save. All keys: image-transfer config generate\n${stringify(keys)}`,
      0o600,
    );
  } catch (cause) {
    throw refuse(reasonOf(cause), cause);
  }
  stderr(`Saved ${path}: from now on, image-transfer run and image-transfer install-service use it.\n`);
}
