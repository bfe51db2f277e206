package io.raybatch;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * One {@link ResourceGroup} at one moment.
 *
 * @param path its name, after those of the groups it is in: {@code outer/inner}
 * @param limits as they are now
 * @param usage of all that is in it, groups within it included
 */
public record GroupStatus(String path, Limits limits, Usage usage) {

    /**
     * What a group may use; empty where there is no limit. See {@link ResourceGroup}.
     *
     * @param maxBytes payload
     * @param maxObjects a count
     * @param maxTasks that run at a time
     * @param maxPriority of a batch or task
     */
    public record Limits(OptionalLong maxBytes, OptionalLong maxObjects, OptionalInt maxTasks, OptionalInt maxPriority) {}

    /**
     * What a group uses.
     *
     * @param bytes payload of its objects, in memory and in files
     * @param objects a count
     * @param held memory: pages of its batches, and what those keep from other batches
     * @param share memory that is its fair share now
     * @param batches that are not collected, a count
     * @param tasks that run and wait for nothing, a count
     * @param refused how often there was no memory for a put, a keep or a task's result: it failed, or waited
     */
    public record Usage(long bytes, long objects, long held, long share, long batches, long tasks, long refused) {

        /** {@return true if it holds more memory than its fair share} */
        public boolean isAboveShare() {
            return held > share;
        }
    }

    /** How the native side says that there is no limit. */
    static final long NONE = Long.MIN_VALUE;

    private static final int FIGURES = 11;

    /** From {@link Native#groups}. */
    static List<GroupStatus> of(long[] f, String[] paths) {
        List<GroupStatus> all = new ArrayList<>(paths.length);
        for (int n = 0, g = 0; n < paths.length; n++, g += FIGURES) {
            Limits limits = new Limits(limit(f[g]), limit(f[g + 1]), small(f[g + 2]), small(f[g + 3]));
            Usage usage = new Usage(f[g + 4], f[g + 5], f[g + 6], f[g + 7], f[g + 8], f[g + 9], f[g + 10]);
            all.add(new GroupStatus(paths[n], limits, usage));
        }
        return List.copyOf(all);
    }

    private static OptionalLong limit(long most) {
        return most == NONE ? OptionalLong.empty() : OptionalLong.of(most);
    }

    private static OptionalInt small(long most) {
        return most == NONE ? OptionalInt.empty() : OptionalInt.of(Math.toIntExact(most));
    }
}
