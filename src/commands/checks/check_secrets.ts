/**
 * What `doctor` and `config validate` say of secrets that other accounts can read: in a configuration file, and the key of the page.
 *
 * @module
 */
import { secretKeys, sectionOf } from "../../config/schema/json_schema.ts";
import type { Settings } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { System } from "../../system/system.ts";
import { type Finding, HERE, warning } from "./finding.ts";

const MOST_BYTES = 1024 * 1024;

export async function checkSecrets(
  { file, full, web }: Pick<Settings, "file" | "full" | "web">,
  system: Pick<System, "platform" | "followedFacts" | "read">,
): Promise<Finding[]> {
  if (system.platform === "windows") return [];
  const findings: Finding[] = [];
  // A group may be meant to read a certificate's key.
  if (web !== null && web.tlsKey !== null && await isReadable(web.tlsKey, 0o004, system)) {
    const what = `Other accounts can read web.tls_key ${printable(web.tlsKey)}`;
    findings.push(
      warning(HERE, what, `Run \`chmod o= ${printable(web.tlsKey)}\`, and have a new key made if others had access.`),
    );
  }
  if (file === null || !await isReadable(file, 0o044, system)) return findings;
  const text = new TextDecoder().decode(await system.read(file, 0, MOST_BYTES));
  const written = secretsOf(full).filter(({ value }) =>
    text.includes(value) || text.includes(JSON.stringify(value).slice(1, -1))
  );
  const names = [...new Set(written.map(({ name }) => name))];
  if (names.length === 0) return findings;
  const what = `Other accounts can read the ${names.join(", ")} in ${printable(file)}`;
  const keep = names.some((name) => name.endsWith("password"))
    ? "or use password_file or password: $NAME instead."
    : "or take them from the environment, like token: $NAME.";
  return [...findings, warning(HERE, what, `Run \`chmod 600 ${printable(file)}\`, ${keep}`)];
}

async function isReadable(path: string, by: number, system: Pick<System, "followedFacts">): Promise<boolean> {
  const facts = await system.followedFacts(path);
  return facts !== null && (facts.mode & by) !== 0;
}

/** The secrets of a configuration with the names of their keys, without those that are taken from the environment. */
function secretsOf(full: Settings["full"]): { readonly name: string; readonly value: string }[] {
  const isSecret = secretKeys();
  const visit = (inner: unknown, section: string): { name: string; value: string }[] => {
    if (Array.isArray(inner)) return inner.flatMap((each) => visit(each, section));
    if (typeof inner !== "object" || inner === null) return [];
    return Object.entries(inner).flatMap(([key, value]) => {
      if (typeof value !== "string" || !isSecret(section, key)) return visit(value, sectionOf(section, key));
      return value === "" || value.startsWith("$") ? [] : [{ name: section === "" ? key : `${section}.${key}`, value }];
    });
  };
  return visit(full, "");
}
