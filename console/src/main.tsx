// Puts the page into its document.
import { render } from "preact";
import { App } from "./app.tsx";
import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/parts.css";

const place = document.querySelector("#page");
if (place) render(<App />, place);
