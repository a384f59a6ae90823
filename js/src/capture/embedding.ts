/** Detection of the part of the page's surroundings (frame, host, policy) that blocks the microphone. */
import type { Hindrance } from "./problems";

interface Policy {
  allowsFeature(name: string): boolean;
}
type PolicedDocument = Document & { featurePolicy?: Policy; permissionsPolicy?: Policy };

/** Return what blocks the microphone of a page; null if nothing does, or if the browser does not report it. */
export function hindranceOf(page: Window): Hindrance | null {
  // VS Code shows notebooks in a page of its own scheme, which never gets a microphone.
  const { protocol, ancestorOrigins } = page.location;
  if ([protocol, ...Array.from(ancestorOrigins ?? [])].some((place) => place.startsWith("vscode-"))) {
    return { by: "host" };
  }
  if (allows(page.document) !== false) return null;
  if (page.parent === page) return { by: "server" };
  const blocking = blockingFrame(page);
  const { document, location } = blocking;
  // Addresses of notebooks may contain a token: neither query nor fragment is shown.
  const address = location.protocol.startsWith("http") ? `${location.origin}${location.pathname}` : "";
  const title = document.title.trim();
  const name = title ? `the frame “${title}”` : "the frame of this notebook";
  const frame = `${name.charAt(0).toUpperCase()}${name.slice(1)}${address ? ` (${address})` : ""}`;
  return { by: "frame", frame, embedder: embedderOf(blocking) };
}

/** Return whether a document may use the microphone; undefined if the browser does not report it. */
function allows(document: Document): boolean | undefined {
  const { permissionsPolicy, featurePolicy } = document as PolicedDocument;
  return (permissionsPolicy ?? featurePolicy)?.allowsFeature("microphone");
}

/** Return the outermost frame without permission: the inner frames inherit the missing permission. */
function blockingFrame(page: Window): Window {
  let frame = page;
  while (frame.parent !== frame) {
    try {
      if (allows(frame.parent.document) !== false || frame.parent.parent === frame.parent) return frame;
    } catch {
      // A page of another origin does not report its permissions, so this is the outermost frame that can be
      // named.
      return frame;
    }
    frame = frame.parent;
  }
  return frame;
}

/** Return the origin of the page that contains a frame; empty if the browser does not report it. */
function embedderOf(frame: Window): string {
  const [nearest] = Array.from(frame.location.ancestorOrigins ?? []);
  if (nearest && nearest !== "null") return nearest;
  const { referrer } = frame.document;
  return URL.canParse(referrer) ? new URL(referrer).origin : "";
}
