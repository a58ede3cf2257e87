// Light, dark, or as the system has it. theme.js has applied the choice before the first paint.

import { icon } from "./element.js";

const CHOICES = [
  ["system", "As the system", "system"],
  ["light", "Light", "sun"],
  ["dark", "Dark", "moon"],
];

export const themeItems = () =>
  CHOICES.map(([value, label, picture]) => ({
    label,
    icon: icon(picture),
    checked: window.gemma4Theme.read() === value,
    action: () => window.gemma4Theme.choose(value),
  }));
