/** Files on their way to the gateway. */
import invoices from "../../../examples/invoices.csv?url";
import payments from "../../../examples/payments.csv?url";
import { type Problem, Refused, type Upload } from "./client";

/** Sends a file; `progress` hears of the share that is on its way. A request of the older kind: the newer does not tell. */
export function upload(file: File, progress: (share: number) => void, signal: AbortSignal): Promise<Upload> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file);
    request.upload.onprogress = ({ loaded, total }) => progress(total > 0 ? loaded / total : 0);
    request.onload = () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText) as Upload);
      else reject(new Refused(problem(request.responseText), request.status));
    };
    request.onerror = () => reject(new Refused(undefined, 0));
    signal.addEventListener("abort", () => request.abort());
    request.open("POST", "/api/uploads");
    request.send(form);
  });
}

/** Two files to try things with. */
export function example(): Promise<File[]> {
  const fetched = async (name: string, url: string) => {
    const answer = await fetch(url);
    if (!answer.ok) throw new Refused(undefined, answer.status);
    return new File([await answer.blob()], name);
  };
  return Promise.all([fetched("invoices.csv", invoices), fetched("payments.csv", payments)]);
}

function problem(text: string): Problem | undefined {
  try {
    return JSON.parse(text) as Problem;
  } catch {
    return undefined;
  }
}
