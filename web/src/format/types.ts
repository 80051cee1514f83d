/** Types of columns, in the words of the API. */

export function isNumber(type: string): boolean {
  return /^(integer|decimal|float)/.test(type);
}

export function isDate(type: string): boolean {
  return /^(date|timestamp)/.test(type);
}
