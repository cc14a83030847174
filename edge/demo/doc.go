// Package demo is the main job on one machine: three backends, an edge before them with certificates of its
// own, light traffic over h1, h2 and h3, and a strategy that is swapped while it flows. It needs nothing and
// leaves nothing.
package demo
