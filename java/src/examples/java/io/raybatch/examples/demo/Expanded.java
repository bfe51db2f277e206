package io.raybatch.examples.demo;

import io.raybatch.ObjectId;
import java.util.List;

/**
 * What a task of a {@link TaskRequest} returns.
 *
 * @param sum weighted, of the features of the nodes that it put
 * @param below the results of the tasks that it submitted for the next hop
 */
record Expanded(long[] sum, List<ObjectId> below) {}
