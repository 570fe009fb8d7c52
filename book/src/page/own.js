// The page "In the page".
import { Stage } from "./stage.js";

window.stage = new Stage(document.getElementById("linux-here"));
