package io.raybatch.examples.demo;

import java.util.Locale;
import java.util.function.DoubleUnaryOperator;

/** A chart under construction, as SVG that stands alone: it brings its colours, for light and for dark, and its description. */
final class Plot {

    static final int WIDTH = 920;
    static final int HEIGHT = 360;
    static final int LEFT = 72;
    static final int RIGHT = WIDTH - 24;
    static final int TOP = 76;
    static final int BOTTOM = HEIGHT - 48;

    private static final String STYLE = """
            .chart{--ink:#1f2933;--soft:#616e7c;--grid:#e4e7eb;--ground:#ffffff;--lru:#c2410c;--batch:#0f766e;--tasks:#1d4ed8;--mark:#7c3aed}
            @media (prefers-color-scheme:dark){.chart{--ink:#e4e7eb;--soft:#9aa5b1;--grid:#323f4b;--ground:#17202a;\
            --lru:#fb923c;--batch:#2dd4bf;--tasks:#60a5fa;--mark:#c4b5fd}}
            .chart text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink)}
            .chart .title{font-weight:600;font-size:15px}.chart .soft{fill:var(--soft)}
            .chart .halo{paint-order:stroke;stroke:var(--ground);stroke-width:4px;stroke-linejoin:round}
            .chart .ground{fill:var(--ground)}.chart .grid{stroke:var(--grid);stroke-width:1}
            .chart .axis{stroke:var(--soft);stroke-width:1}.chart .mark{stroke:var(--mark);stroke-width:1.5;stroke-dasharray:6 4}
            .chart .limit{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:2 3}
            .chart .lru{stroke:var(--lru)}.chart .batch{stroke:var(--batch)}.chart .tasks{stroke:var(--tasks)}
            .chart .line{fill:none;stroke-width:1.6;stroke-linejoin:round}.chart .thick{fill:none;stroke-width:2.4;stroke-linejoin:round}
            .chart .dot-lru{fill:var(--lru)}.chart .dot-batch{fill:var(--batch)}.chart .dot-tasks{fill:var(--tasks)}
            """;

    private final StringBuilder svg = new StringBuilder();
    private final DoubleUnaryOperator x;
    private final DoubleUnaryOperator y;

    /** {@code x} and {@code y} take values to coordinates of the drawing. */
    Plot(String id, String title, String description, DoubleUnaryOperator x, DoubleUnaryOperator y) {
        this.x = x;
        this.y = y;
        add("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\""
                + " aria-labelledby=\"%s-title %s-desc\">%n", WIDTH, HEIGHT, id, id);
        add("<title id=\"%s-title\">%s</title>%n<desc id=\"%s-desc\">%s</desc>%n", id, text(title), id, text(description));
        svg.append("<style>\n").append(STYLE).append("</style>\n");
        add("<rect class=\"ground\" width=\"%d\" height=\"%d\" rx=\"8\"/>%n", WIDTH, HEIGHT);
        add("<text class=\"title\" x=\"%d\" y=\"24\">%s</text>%n", LEFT - 56, text(title));
    }

    /** Values from 0 to {@code most} over the chart's width. */
    static DoubleUnaryOperator across(double most) {
        return v -> LEFT + v / most * (RIGHT - LEFT);
    }

    /** Logarithms of values between these over the chart's width. */
    static DoubleUnaryOperator acrossLog(double least, double most) {
        double low = Math.log(least);
        double span = Math.log(most) - low;
        return v -> LEFT + (Math.log(Math.max(v, least)) - low) / span * (RIGHT - LEFT);
    }

    /** Values from 0 to {@code most} over the chart's height. */
    static DoubleUnaryOperator upwards(double most) {
        return v -> BOTTOM - v / most * (BOTTOM - TOP);
    }

    /** The least of 1, 2, 5, 10, 20, … that cuts {@code most} into no more than {@code parts}. */
    static double step(double most, int parts) {
        double step = Math.pow(10, Math.floor(Math.log10(most / parts)));
        for (double factor : new double[] {1, 2, 5, 10}) {
            if (most / (step * factor) <= parts) {
                return step * factor;
            }
        }
        return step * 10;
    }

    Plot tickX(double value, String label) {
        double at = x.applyAsDouble(value);
        add("<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>", at, at, BOTTOM, BOTTOM + 5);
        add("<text class=\"soft\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>%n", at, BOTTOM + 20, text(label));
        return this;
    }

    Plot tickY(double value, String label) {
        double at = y.applyAsDouble(value);
        add("<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, RIGHT, at, at);
        add("<text class=\"soft\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>%n", LEFT - 8, at + 4, text(label));
        return this;
    }

    Plot axis(String label) {
        add("<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", LEFT, RIGHT, BOTTOM, BOTTOM);
        add("<text class=\"soft\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>%n", RIGHT, HEIGHT - 8, text(label));
        return this;
    }

    /** A level over the whole width, its name above it at the right. */
    Plot level(double value, String style, String label) {
        double at = y.applyAsDouble(value);
        add("<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", style, LEFT, RIGHT, at, at);
        add("<text class=\"halo\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>%n", RIGHT - 4, at - 6, text(label));
        return this;
    }

    /** A value over the whole height, its name at the top. */
    Plot upright(double value, String style, String label) {
        double at = x.applyAsDouble(value);
        boolean right = at > RIGHT - 60;
        add("<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>", style, at, at, TOP - 6, BOTTOM);
        add("<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>%n", right ? RIGHT : at, TOP - 12,
                right ? "end" : "middle", text(label));
        return this;
    }

    /** Straight lines through points; of those on one pixel's column, the first, lowest, highest and last. */
    Plot line(String style, double[] xs, double[] ys) {
        StringBuilder path = new StringBuilder();
        int i = 0;
        while (i < xs.length) {
            int column = (int) x.applyAsDouble(xs[i]);
            int low = i;
            int high = i;
            int last = i;
            while (last + 1 < xs.length && (int) x.applyAsDouble(xs[last + 1]) == column) {
                last++;
                low = ys[last] < ys[low] ? last : low;
                high = ys[last] > ys[high] ? last : high;
            }
            int drawn = -1;
            for (int at : new int[] {i, Math.min(low, high), Math.max(low, high), last}) {
                if (at != drawn) {
                    path.append(path.isEmpty() ? "M" : "L").append(format("%.1f %.1f", x.applyAsDouble(xs[at]), y.applyAsDouble(ys[at])));
                    drawn = at;
                }
            }
            i = last + 1;
        }
        add("<path class=\"%s\" d=\"%s\"/>%n", style, path);
        return this;
    }

    /** The end of a line, and what to say there if there is room beside it. */
    Plot end(String mode, double atX, double atY, String label) {
        double cx = x.applyAsDouble(atX);
        double cy = y.applyAsDouble(atY);
        add("<circle class=\"dot-%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>%n", mode, cx, cy);
        if (cx < LEFT + 0.6 * (RIGHT - LEFT)) {
            add("<text class=\"halo\" x=\"%.1f\" y=\"%.1f\">%s</text>%n", cx + 8, cy - 8, text(label));
        }
        return this;
    }

    /** What a colour means, in a row under the title. */
    Plot legend(int column, String mode, String label) {
        int at = LEFT - 56 + column * 300;
        add("<line class=\"thick %s\" x1=\"%d\" x2=\"%d\" y1=\"39\" y2=\"39\"/>", mode, at, at + 22);
        add("<text x=\"%d\" y=\"43\">%s</text>%n", at + 30, text(label));
        return this;
    }

    String svg() {
        return svg + "</svg>\n";
    }

    private void add(String form, Object... values) {
        svg.append(format(form, values));
    }

    private static String format(String form, Object... values) {
        return String.format(Locale.ROOT, form, values);
    }

    /** Text as it stands in SVG and HTML. */
    static String text(String plain) {
        return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}
