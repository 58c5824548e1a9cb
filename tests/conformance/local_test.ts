import { createSystem } from "../../src/system/create_system.ts";
import { local } from "../../src/methods/local/local.ts";
import { conformance } from "./conformance.ts";
import { aDestination, diskView, STAGING } from "./rig.ts";

conformance({
  name: "local",
  ignore: false,
  onDisk: true,
  durability: "flushed",
  start: () =>
    Promise.resolve({
      rig: ({ base, settings }, folder) => {
        const destination = aDestination({ basePath: base ?? folder.at("base", "images"), ...settings });
        const context = { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
        return Promise.resolve({
          method: local,
          destination,
          context,
          view: diskView(destination.basePath),
          bytesSent: null,
        });
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
});
