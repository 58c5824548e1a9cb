import { createSystem } from "../../src/system/create_system.ts";
import { fakeDestination } from "../support/fake_method.ts";
import { conformance } from "./conformance.ts";
import { aDestination, STAGING, type View } from "./rig.ts";

conformance({
  name: "fake method",
  ignore: false,
  onDisk: false,
  durability: "flushed",
  start: () => {
    const places = new Map<string, ReturnType<typeof fakeDestination>>();
    return Promise.resolve({
      rig: ({ base, settings }, folder) => {
        const destination = aDestination({ basePath: base ?? folder.at("base", "images"), ...settings });
        const fake = places.get(destination.basePath) ?? fakeDestination();
        places.set(destination.basePath, fake);
        const context = { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
        return Promise.resolve({ method: fake.method, destination, context, view: viewOf(fake), bytesSent: null });
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
});

function viewOf(fake: ReturnType<typeof fakeDestination>): View {
  const { files } = fake;
  return {
    read: (path) => Promise.resolve(files.get(path)?.bytes ?? null),
    write: (path, bytes) => {
      files.set(path, { bytes, mtimeMs: 0, mode: 0o644 });
      return Promise.resolve();
    },
    files: () => Promise.resolve(fake.attached ? [...files.keys()].sort() : null),
    facts: (path) => {
      const file = files.get(path);
      return Promise.resolve(file ? { mtimeMs: file.mtimeMs, mode: file.mode ?? 0 } : null);
    },
  };
}
