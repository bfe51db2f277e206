package io.raybatch.bench;

import static io.raybatch.bench.Row.IN_ORDER;
import static io.raybatch.bench.Row.SHUFFLED;

import java.util.ArrayList;
import java.util.List;

/** Which rows there are, those side by side that are compared. A row moves at most 1 GiB. */
final class Plan {

    private static final int SMALL = 64;
    private static final int MEDIUM = 256;
    private static final int PAGE = 4 << 10;
    private static final int LARGE = 1 << 20;
    private static final int MILLION = 1_000_000;
    private static final int BATCHES = 100_000;
    private static final int REQUEST = 27_000_000;
    private static final int REQUEST_SIZE = 32;
    private static final long MOST_BYTES = 512L << 20;

    private static final String DIRECT = "raybatch-direct";
    private static final String JNI = "raybatch-jni";
    private static final String FLOOR = "memcpy";
    private static final List<String> OURS = List.of(DIRECT, JNI);
    private static final List<String> ALL =
            List.of(DIRECT, JNI, "heap", "netty", "arrow", "ohc", "chronicle-map", "caffeine");
    private static final List<String> SOME = List.of(DIRECT, JNI, "heap", "netty");
    /** They release a request apart from others. */
    private static final List<String> BY_REQUEST = List.of(DIRECT, JNI, "heap", "netty", "arrow");
    private static final List<String> POOLS = List.of(DIRECT, "fork-join-pool", "completable-future");
    private static final List<String> NEWER = List.of(DIRECT, "heap", "arena-shared", "arena-confined");

    private final List<Row> rows = new ArrayList<>();

    private Plan() {}

    static List<Row> full() {
        Plan plan = new Plan();
        int[] sizes = {SMALL, MEDIUM, PAGE, LARGE};
        for (int size : sizes) {
            plan.add(Work.PUT, with(ALL, FLOOR), size, objects(size));
        }
        for (int size : new int[] {SMALL, PAGE, LARGE}) {
            for (String subject : List.of(DIRECT, JNI, "netty", "chronicle-map", FLOOR)) {
                plan.rows.add(Row.of(Work.PUT, subject, size, objects(size)).cold());
            }
        }
        for (int size : new int[] {REQUEST_SIZE, SMALL, MEDIUM}) {
            plan.add(Work.PUT_BULK, List.of(DIRECT, FLOOR), size, MILLION);
        }
        for (int size : sizes) {
            plan.add(Work.GET, with(ALL, FLOOR), size, objects(size));
        }
        for (int size : new int[] {SMALL, PAGE}) {
            for (String subject : with(size == SMALL ? ALL : SOME, FLOOR)) {
                plan.rows.add(Row.of(Work.GET, subject, size, objects(size)).ordered(SHUFFLED));
            }
        }
        for (int size : new int[] {SMALL, PAGE}) {
            plan.add(Work.CYCLE, ALL, size, objects(size));
            plan.add(Work.RELEASE, ALL, size, objects(size));
        }
        plan.add(Work.RELEASE, OURS, REQUEST_SIZE, REQUEST);
        for (int size : sizes) {
            plan.add(Work.MEMORY, ALL, size, objects(size));
        }
        plan.add(Work.TINY_BATCH, BY_REQUEST, SMALL, 10);
        plan.add(Work.LIVE_BATCHES, OURS, SMALL, BATCHES);
        for (int size : new int[] {SMALL, PAGE}) {
            plan.add(Work.SCALING, with(OURS, FLOOR), size, (int) (MOST_BYTES / size));
        }
        plan.add(Work.READER_P999, List.of(DIRECT, JNI, "heap"), REQUEST_SIZE, REQUEST);
        plan.tasks();
        for (int size : new int[] {SMALL, PAGE, LARGE}) {
            plan.newer(Work.PUT, size, IN_ORDER);
        }
        plan.newer(Work.GET, SMALL, IN_ORDER);
        plan.newer(Work.GET, SMALL, SHUFFLED);
        plan.newer(Work.CYCLE, SMALL, IN_ORDER);
        plan.newer(Work.RELEASE, SMALL, IN_ORDER);
        for (String subject : NEWER) {
            plan.rows.add(Row.of(Work.TINY_BATCH, subject, SMALL, 10).onNewer());
        }
        return List.copyOf(plan.rows);
    }

    /** Every kind of work, with the subjects that matter most in each. */
    static List<Row> quick() {
        Plan plan = new Plan();
        plan.add(Work.PUT, with(SOME, FLOOR), SMALL, MILLION);
        plan.add(Work.PUT, List.of(DIRECT, "heap", FLOOR), LARGE, objects(LARGE));
        plan.rows.add(Row.of(Work.PUT, DIRECT, SMALL, MILLION).cold());
        plan.add(Work.PUT_BULK, List.of(DIRECT, FLOOR), SMALL, MILLION);
        plan.add(Work.GET, List.of(DIRECT, JNI, "heap"), SMALL, MILLION);
        for (String subject : List.of(DIRECT, "heap")) {
            plan.rows.add(Row.of(Work.GET, subject, SMALL, MILLION).ordered(SHUFFLED));
        }
        plan.add(Work.CYCLE, List.of(DIRECT, "heap"), SMALL, MILLION);
        plan.add(Work.RELEASE, List.of(DIRECT, "heap", "ohc"), SMALL, MILLION);
        plan.add(Work.RELEASE, List.of(DIRECT), REQUEST_SIZE, REQUEST);
        plan.add(Work.MEMORY, List.of(DIRECT, "heap"), SMALL, MILLION);
        plan.add(Work.TINY_BATCH, List.of(DIRECT, "heap"), SMALL, 10);
        plan.add(Work.LIVE_BATCHES, List.of(DIRECT), SMALL, BATCHES);
        plan.add(Work.SCALING, List.of(DIRECT, FLOOR), SMALL, (int) (MOST_BYTES / SMALL));
        plan.add(Work.READER_P999, List.of(DIRECT), REQUEST_SIZE, REQUEST);
        plan.tasks();
        for (String subject : List.of(DIRECT, "heap", "arena-confined")) {
            plan.rows.add(Row.of(Work.PUT, subject, SMALL, MILLION).onNewer());
        }
        return List.copyOf(plan.rows);
    }

    private void add(Work work, List<String> subjects, int size, int count) {
        subjects.forEach(subject -> rows.add(Row.of(work, subject, size, count)));
    }

    private void tasks() {
        add(Work.TASK_ROUND_TRIP, POOLS, 0, 1);
        add(Work.TASK_RUN, POOLS, 0, MILLION);
        add(Work.TASK_RELEASE, List.of(DIRECT), 0, MILLION);
    }

    private void newer(Work work, int size, String order) {
        NEWER.forEach(subject -> rows.add(Row.of(work, subject, size, objects(size)).ordered(order).onNewer()));
    }

    private static int objects(int size) {
        return (int) Math.min(MILLION, MOST_BYTES / size);
    }

    private static List<String> with(List<String> subjects, String another) {
        List<String> all = new ArrayList<>(subjects);
        all.add(another);
        return all;
    }
}
