/** Light, dark, or what the system says. */
import { kept } from "./kept";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const worn = kept<Theme>("kalla-theme", THEMES, (theme) => {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
});

export const theme = worn.get;
export const wear = worn.set;
export const useTheme = worn.use;
