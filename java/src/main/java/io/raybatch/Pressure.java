package io.raybatch;

/**
 * How short a store's memory is, when that changed.
 *
 * @param level from now on
 * @param used bytes lent
 * @param capacity bytes of the store
 */
public record Pressure(Level level, long used, long capacity) {

    /**
     * How short memory is. It takes more to reach a level than to stay at it, so that a store at a mark does not go to and
     * fro.
     */
    public enum Level {
        /** There is room. */
        NORMAL(0, 0),
        /** From 80 percent on, until it is less than 70. */
        HIGH(80, 70),
        /** From 95 percent on, until it is less than 90: puts are near waiting, or failing. */
        FULL(95, 90);

        private final int reached;
        private final int left;

        Level(int reached, int left) {
            this.reached = reached;
            this.left = left;
        }

        /** The level that follows this one when so much is in use. */
        Level next(long used, long capacity) {
            double percent = 100.0 * used / capacity;
            Level next = NORMAL;
            for (Level level : values()) {
                if (percent >= (level.ordinal() <= ordinal() ? level.left : level.reached)) {
                    next = level;
                }
            }
            return next;
        }
    }
}
