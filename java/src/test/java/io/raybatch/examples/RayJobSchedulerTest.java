package io.raybatch.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.raybatch.Batch;
import io.raybatch.BatchState;
import io.raybatch.ObjectCollectedException;
import io.raybatch.ObjectRef;
import io.raybatch.Ray;
import io.raybatch.RayConfig;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class RayJobSchedulerTest {

    private final RayJobScheduler scheduler = new RayJobScheduler();
    private final AtomicReference<ObjectRef<String>> object = new AtomicReference<>();
    private final AtomicReference<ObjectRef<String>> answer = new AtomicReference<>();

    @BeforeEach
    void open() {
        Ray.shutdown();
        Ray.init(RayConfig.builder().storeSize("16m").build());
        scheduler.init(new JobSchedulerContext(7));
    }

    @AfterEach
    void close() {
        Ray.shutdown();
    }

    private void work(long jobId, Batch batch) {
        object.set(batch.put("temporary"));
        answer.set(batch.put("answer"));
        batch.keep(answer.get());
    }

    @Test
    void aFinishedJobLeavesOnlyWhatItKept() {
        scheduler.scheduleJob(this::work);
        assertThat(Ray.get(object.get())).isEqualTo("temporary");
        scheduler.finishJob(7L, new JobRes(true));
        assertThatThrownBy(() -> Ray.get(object.get())).isInstanceOf(ObjectCollectedException.class);
        assertThat(Ray.get(answer.get())).isEqualTo("answer");
    }

    @Test
    void withoutGcTheObjectsOfAFinishedJobStay() {
        scheduler.scheduleJob(this::work);
        scheduler.finishJob(7L, new JobRes(false));
        assertThat(Ray.status(7).state()).isEqualTo(BatchState.COMPLETED);
        assertThat(Ray.get(object.get())).isEqualTo("temporary");
    }

    @Test
    void jobsLiveBesideEachOther() {
        scheduler.scheduleJob(this::work);
        ObjectRef<String> first = object.get();
        scheduler.scheduleJob(this::work);
        scheduler.finishJob(8L, new JobRes(true));
        assertThat(Ray.get(first)).isEqualTo("temporary");
    }

    @Test
    void aDriverThatThrowsLeavesNothing() {
        IllegalStateException failure = new IllegalStateException("driver");
        assertThatThrownBy(() -> scheduler.scheduleJob((jobId, batch) -> {
                    batch.put("temporary");
                    throw failure;
                }))
                .isSameAs(failure);
        assertThat(Ray.batches()).isEmpty();
    }
}
