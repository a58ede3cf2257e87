// Set before the first paint, so that a dark page never flashes white: a classic script, not a module.
(() => {
  const key = "gemma4.theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try {
      return localStorage.getItem(key) ?? "system";
    } catch {
      return "system"; // a browser that keeps nothing follows the system
    }
  };
  const apply = () => {
    const choice = read();
    document.documentElement.dataset.theme =
      choice === "system" ? (system.matches ? "dark" : "light") : choice;
  };
  apply();
  system.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  window.gemma4Theme = {
    read,
    choose(choice) {
      localStorage.setItem(key, choice);
      apply();
    },
  };
})();
