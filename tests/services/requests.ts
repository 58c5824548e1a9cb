/** Requests for services as the tests of the plan makers use them. */
import type { ServiceRequest } from "../../src/services/service.ts";

/** A request with everything at its plainest, for Linux and macOS. */
export function aRequest(changes: Partial<ServiceRequest> = {}): ServiceRequest {
  return {
    name: "image-transfer",
    scope: "system",
    account: { name: "observer", uid: 1000, home: "/home/observer" },
    description: "Delivers every finished image, complete and verified, to its destinations",
    program: "/usr/local/bin/image-transfer",
    copied: true,
    config: "/home/observer/.config/image-transfer/config.yaml",
    needs: {
      writable: ["/var/lib/image-transfer", "/home/observer/logs", "/mnt/nas/images"],
      readable: ["/home/observer/images", "/home/observer/.ssh"],
    },
    stateDirectory: "/var/lib/image-transfer",
    formerState: null,
    logFile: "/home/observer/logs/image_transfer.log",
    stopSeconds: 45,
    ...changes,
  };
}

/** The same for Windows. */
export function aWindowsRequest(changes: Partial<ServiceRequest> = {}): ServiceRequest {
  return aRequest({
    name: "ImageTransferDaemon",
    scope: "user",
    account: { name: "DOME-PC\\Observer", uid: null, home: "C:\\Users\\Observer" },
    program: "C:\\Users\\Observer\\AppData\\Local\\Programs\\image-transfer\\image-transfer.exe",
    config: "C:\\Users\\Observer\\.config\\image-transfer\\config.yaml",
    needs: { writable: [], readable: [] },
    stateDirectory: "C:\\Users\\Observer\\AppData\\Local\\image-transfer",
    logFile: "C:\\Users\\Observer\\logs\\image_transfer.log",
    ...changes,
  });
}

/** Text that every format has to escape somewhere. */
export const HOSTILE = `5% of $HOME & "all" <b>it's</b> -- --> \\n \\`;

/** The template of a kind, from `service/`. */
export async function template(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
}
