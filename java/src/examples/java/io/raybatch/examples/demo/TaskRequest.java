package io.raybatch.examples.demo;

import io.raybatch.Batch;
import io.raybatch.GetTimeoutException;
import io.raybatch.ObjectRef;
import io.raybatch.ObjectSlots;
import io.raybatch.Ray;
import io.raybatch.TaskCounts;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * The short job as tasks, hop by hop. A task takes a few nodes of one hop: their neighbours become objects, as in a
 * {@link GraphRequest}, and are read back and summed up; for the nodes of the next hop it submits tasks of their own. A last task
 * adds up what all returned: that is the answer, the only object that is kept. A request that is not served within its budget can
 * be cancelled: its batch goes with all that its tasks made, and those that have not begun do not begin.
 */
final class TaskRequest implements ShortJob {

    /** Nodes whose neighbours one task puts. Up to 300 times as many objects are worth a task; a thread is never long at one. */
    static final int WIDTH = 16;

    private final Graph graph;
    private final Budget budget;
    private final Runnable allPut;
    private final Queue<Branches> workers = new ConcurrentLinkedQueue<>();
    private final ThreadLocal<Branches> worker = ThreadLocal.withInitial(this::newWorker);
    private final ThreadLocal<long[]> slots = ThreadLocal.withInitial(() -> new long[WIDTH * Walk.FANOUT]);

    private int start;
    private long[] sum;
    private long jobId;
    private ObjectRef<long[]> answer;
    private long tasks;

    /** {@code allPut} is called when all objects of a request are in the store. */
    TaskRequest(Graph graph, Budget budget, Runnable allPut) {
        this.graph = graph;
        this.budget = budget;
        this.allPut = allPut;
    }

    private Branches newWorker() {
        Branches fresh = new Branches(graph);
        workers.add(fresh);
        return fresh;
    }

    @Override
    public TaskRequest from(int node) {
        start = node;
        return this;
    }

    @Override
    public void start(long id, Batch batch) {
        long began = System.nanoTime();
        jobId = id;
        ObjectSlots objects = batch.slots();
        ObjectRef<Expanded> first = batch.task((Integer node) -> expandStart(objects, node), start).remote();
        answer = batch.task(TaskRequest::addUp, first).remote();
        try {
            sum = budget.cancels() ? answer.get(Duration.ofNanos(budget.nanosLeft(began))) : answer.get();
            allPut.run();
            tasks = tasksOf(batch);
            batch.keep(answer);
        } catch (GetTimeoutException late) {
            allPut.run();
            tasks = tasksOf(batch);
            Ray.cancel(batch);
            answer = null;
            sum = null;
        }
    }

    private static long tasksOf(Batch batch) {
        TaskCounts counts = batch.status().tasks();
        return counts.active() + counts.done() + counts.failed() + counts.cancelled();
    }

    // ---- its tasks ------------------------------------------------------------------------------------------------

    private Expanded expandStart(ObjectSlots objects, int node) {
        long[] own = putAndSum(objects, visitor -> Walk.around(graph, 0, node, visitor));
        List<ObjectRef<Expanded>> tasks = new ArrayList<>();
        submitBelow(objects, 1, node, tasks);
        return expanded(own, tasks);
    }

    /** Expands some of a node's neighbours, from the {@code first} on; what it puts is at that hop. */
    private Expanded expand(ObjectSlots objects, int hop, int node, int first) {
        int count = Math.min(WIDTH, Walk.branches(graph, node) - first);
        long[] own = putAndSum(objects, visitor -> Walk.below(graph, hop, node, first, count, visitor));
        List<ObjectRef<Expanded>> tasks = new ArrayList<>();
        if (hop + 1 < Walk.HOPS) {
            for (int n = first; n < first + count; n++) {
                submitBelow(objects, hop + 1, Walk.branch(graph, node, n), tasks);
            }
        }
        return expanded(own, tasks);
    }

    private long[] putAndSum(ObjectSlots objects, Walk.Part part) {
        Branches here = worker.get();
        here.begin(objects, slots.get());
        here.putAndGet(part);
        return here.sum();
    }

    private void submitBelow(ObjectSlots objects, int hop, int node, List<ObjectRef<Expanded>> tasks) {
        for (int first = 0; first < Walk.branches(graph, node); first += WIDTH) {
            tasks.add(Ray.task((Integer at, Integer parent, Integer from) -> expand(objects, at, parent, from), hop, node, first)
                    .remote());
        }
    }

    private static Expanded expanded(long[] sum, List<ObjectRef<Expanded>> tasks) {
        return new Expanded(sum, tasks.stream().map(ObjectRef::id).toList());
    }

    /** The last task: goes down from hop to hop, and waits for each. */
    private static long[] addUp(Expanded first) {
        long[] total = new long[Features.WORDS];
        List<Expanded> hop = List.of(first);
        while (!hop.isEmpty()) {
            List<ObjectRef<Expanded>> next = new ArrayList<>();
            for (Expanded one : hop) {
                for (int k = 0; k < Features.WORDS; k++) {
                    total[k] += one.sum()[k];
                }
                one.below().forEach(id -> next.add(Ray.ref(id, Expanded.class)));
            }
            hop = Ray.get(next);
        }
        return total;
    }

    // ---- what came of it ------------------------------------------------------------------------------------------

    @Override
    public long jobId() {
        return jobId;
    }

    @Override
    public ObjectRef<long[]> answer() {
        return answer;
    }

    @Override
    public long[] sum() {
        return sum;
    }

    @Override
    public long tasks() {
        return tasks;
    }

    @Override
    public long lost() {
        return workers.stream().mapToLong(Branches::lost).sum();
    }

    @Override
    public double putMillis() {
        return Double.NaN;
    }

    @Override
    public double readMillis() {
        return Double.NaN;
    }

    /** Its threads are the store's. */
    @Override
    public void close() {
        workers.clear();
    }
}
