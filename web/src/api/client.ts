/** The gateway's API: the only place that fetches. Types are those of its OpenAPI document. */
import createClient from "openapi-fetch";
import type { Problem, paths } from "./schema.gen";

export type * from "./schema.gen";

/** What the gateway refuses, or that it cannot be reached. */
export class Refused extends Error {
  readonly problem: Problem | undefined;
  readonly status: number;

  constructor(problem: Problem | undefined, status: number) {
    super(problem?.message || (status ? `The gateway answers ${status}.` : "The gateway cannot be reached."));
    this.problem = problem;
    this.status = status;
  }
}

export const api = createClient<paths, "application/json">({ baseUrl: "/" });

interface Told<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of an answer, or an error that says what is wrong. */
export async function body<T>(answer: Promise<Told<T>>): Promise<NonNullable<T>> {
  let told: Told<T>;
  try {
    told = await answer;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new Refused(undefined, 0);
  }
  const { data, error, response } = told;
  if (data === undefined || data === null) {
    throw refused(error, response.status);
  }
  return data;
}

/** An answer that has no body. */
export async function done(answer: Promise<Told<unknown>>): Promise<void> {
  const { error, response } = await answer;
  if (!response.ok) throw refused(error, response.status);
}

function refused(error: unknown, status: number): Refused {
  return new Refused(isProblem(error) ? error : undefined, status);
}

function isProblem(error: unknown): error is Problem {
  return typeof error === "object" && error !== null && "code" in error && "message" in error;
}
