/**
 * The software bill of materials: which packages, with their hashes, are in the binary. CycloneDX JSON, made of the lock file.
 */

/** What `deno info --json` tells of a module graph, as far as it is used. */
export interface Graph {
  readonly modules: readonly { readonly npmPackage?: string }[];
  /** Also those that nothing in this graph imports. */
  readonly npmPackages?: Readonly<
    Record<string, { readonly name: string; readonly version: string; readonly dependencies: readonly string[] }>
  >;
}

/** What the lock file tells, as far as it is used. */
export interface Lock {
  readonly npm: Readonly<Record<string, { readonly integrity?: string }>>;
}

/** The bill; packages in alphabetical order, `time` in seconds since 1970 UTC. */
export function sbom(version: string, graphs: readonly Graph[], lock: Lock, runtime: string, time: number): string {
  const packages = graphs.flatMap(reached).map(({ id, name, version }) => {
    const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
    const hash = sha512(lock.npm[id]?.integrity);
    return {
      type: "library",
      "bom-ref": purl,
      name,
      version,
      purl,
      ...(hash === null ? {} : { hashes: [{ alg: "SHA-512", content: hash }] }),
    };
  });
  const once = [...new Map(packages.map((component) => [component.purl, component])).values()];
  once.sort((a, b) => a.purl < b.purl ? -1 : 1);
  const bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      timestamp: new Date(time * 1000).toISOString(),
      component: { type: "application", "bom-ref": "image-transfer", name: "image-transfer", version, licenses: [MIT] },
    },
    components: [{ type: "platform", "bom-ref": "deno", name: "deno", version: runtime, licenses: [MIT] }, ...once],
  };
  return `${JSON.stringify(bill, null, 2)}\n`;
}

/** The packages that modules of the graph import, and what those need. */
function reached({ modules, npmPackages = {} }: Graph): { id: string; name: string; version: string }[] {
  const found = new Set<string>();
  const waiting = modules.flatMap(({ npmPackage }) => npmPackage ?? []);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    waiting.push(...npmPackages[id]?.dependencies ?? []);
  }
  return [...found].flatMap((id) => npmPackages[id] ? [{ id, ...npmPackages[id] }] : []);
}

const MIT = { license: { id: "MIT" } };

/** The hex digits of an npm integrity; null where it is of another kind. */
function sha512(integrity = ""): string | null {
  const base64 = /^sha512-(.+)$/.exec(integrity)?.[1];
  return base64 === undefined ? null : Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).toHex();
}
