/**
 * Carries out what a service kind has planned: writes files, runs steps.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { PlannedFile, ServiceKind, Step } from "../../services/service.ts";
import { faultOf } from "../../system/fault.ts";
import type { Command } from "../../system/system.ts";
import type { Tools } from "../command.ts";

/** Writes a file unless it already has this content; true if it was written. */
export async function writePlanned(file: PlannedFile, { system }: Pick<Tools, "system">): Promise<boolean> {
  const folder = file.path.slice(0, Math.max(file.path.lastIndexOf("/"), file.path.lastIndexOf("\\")));
  try {
    await system.makeFolder(folder);
    if (file.encoding === "utf-16le") {
      await system.remove(file.path);
      await using writer = await system.createFile(file.path);
      await writer.write(utf16(file.text));
      return true;
    }
    if (await readIfThere(file.path, system) === file.text) return false;
    await system.writeText(file.path, file.text, file.mode);
    return true;
  } catch (cause) {
    if (faultOf(cause) !== "permission") throw cause;
    throw new Failure("permission_denied", `Cannot write "${file.path}": permission denied`, { hint: "Use sudo.", cause });
  }
}

/** The text of a file, null when it is not there. */
export async function readIfThere(path: string, system: Pick<Tools["system"], "readText">): Promise<string | null> {
  try {
    return await system.readText(path);
  } catch (error) {
    if (["not_found", "not_a_folder"].includes(faultOf(error))) return null;
    throw error;
  }
}

/** Runs one step after the other. @throws {Failure} for the first failure that is not ignored. */
export async function runSteps(steps: readonly Step[], kind: ServiceKind, tools: Tools): Promise<void> {
  for (const step of steps) await runStep(step, kind, tools);
}

async function runStep(step: Step, kind: ServiceKind, tools: Tools): Promise<void> {
  const { system, signal, stderr } = tools;
  for (let left = step.tries ?? 1;; left--) {
    const { code, stdout, stderr: said } = await system.run(step.command, signal);
    if (code === 0 || step.failing === "ignore") return;
    if (left > 1) {
      await system.sleep(1000, signal);
      continue;
    }
    const words = `${said}\n${stdout}`.trim();
    const reason = words === "" ? `exit code ${code}` : words;
    if (step.failing === "warn") {
      stderr(`Warning: "${commandLine(step.command)}" failed: ${printable(reason)}\n${step.hint ? `  ${step.hint}\n` : ""}`);
      return;
    }
    const isRights = kind.rightsMissing(words);
    throw new Failure(isRights ? "permission_denied" : "internal", `Cannot run "${commandLine(step.command)}": ${reason}`, {
      hint: isRights ? rightsHint(step.command, tools) : "",
    });
  }
}

function rightsHint(command: Command, { system }: Tools): string {
  if (system.platform === "windows") return "Run it in a PowerShell window opened with “Run as administrator”.";
  return `Run as root: sudo ${commandLine(command)}`;
}

/** A command as a person would type it. */
export function commandLine({ program, args }: Pick<Command, "program" | "args">): string {
  return [program, ...args].map((word) => /^[\w@%+=:,./\\-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`).join(
    " ",
  );
}

function utf16(text: string): Uint8Array {
  const bytes = new Uint8Array(2 + 2 * text.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xfeff, true);
  for (let at = 0; at < text.length; at++) view.setUint16(2 + 2 * at, text.charCodeAt(at), true);
  return bytes;
}
